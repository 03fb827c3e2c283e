import { workerEntry } from './bundle.ts';
import { keepUntilSignal } from './foreground.ts';
import { memberHelp, readMemberCommandLine } from './member-command-line.ts';
import { Output } from './output.ts';
import { run } from './run.ts';
import { openSeparate } from './separate.ts';

/** Starts one member by itself and keeps it until a signal. @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
  const options = readMemberCommandLine(argv, process.env);
  const output = new Output(options?.logLevel ?? 'info');
  if (options === null) {
    output.line(memberHelp());
    return 0;
  }
  await keepUntilSignal(() => openSeparate(options, { output, workerEntry }), output);
  return 0;
}

await run(main);
