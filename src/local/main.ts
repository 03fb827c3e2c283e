import { workerEntry } from './bundle.ts';
import { LocalCluster } from './cluster.ts';
import { readCommandLine } from './command-line.ts';
import { keepUntilSignal } from './foreground.ts';
import { openMember } from './join.ts';
import { readJoinCommandLine } from './join-command-line.ts';
import { Output } from './output.ts';
import { run } from './run.ts';

/** Starts a cluster and keeps it until a signal. @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
  const isMember = argv[0] === 'member';
  const options = isMember ? readJoinCommandLine(argv.slice(1)) : readCommandLine(argv);
  if (options === null) return 0;
  const output = new Output(options.logLevel);
  const context = { output, environment: process.env, workerEntry };
  const open = () =>
    'join' in options ? openMember(options, context) : LocalCluster.open(options, context);
  await keepUntilSignal(open, output);
  return 0;
}

await run(main);
