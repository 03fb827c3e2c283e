import { once } from 'node:events';
import { workerEntry } from './bundle.ts';
import { LocalCluster } from './cluster.ts';
import { readCommandLine } from './command-line.ts';
import { openMember } from './join.ts';
import { readJoinCommandLine } from './join-command-line.ts';
import { Output } from './output.ts';
import { showReady } from './readiness.ts';
import { run } from './run.ts';

/**
 * npm passes a terminal's Ctrl-C on, so that one arrives twice: a second one comes later than this.
 */
const sameCtrlCMs = 300;

/** Starts a cluster and keeps it until a signal. @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
  const isMember = argv[0] === 'member';
  const options = isMember ? readJoinCommandLine(argv.slice(1)) : readCommandLine(argv);
  if (options === null) return 0;
  const output = new Output(options.logLevel);
  const stop = new AbortController();
  const stopped = once(stop.signal, 'abort');
  let cluster: LocalCluster | null = null;
  onSignals(stop, output, () => cluster?.kill());
  try {
    const context = { output, environment: process.env, workerEntry };
    cluster =
      'join' in options
        ? await openMember(options, context)
        : await LocalCluster.open(options, context);
    if (!stop.signal.aborted) await cluster.start();
    if (!stop.signal.aborted)
      await Promise.race([stopped, showReady(cluster, output, stop.signal)]);
    await stopped;
  } finally {
    await cluster?.stop();
  }
  return 0;
}

/** The first signal stops in good order; a second Ctrl-C does not wait for anything. */
function onSignals(stop: AbortController, output: Output, killAll: () => void): void {
  let firstMs: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (firstMs === null) {
      firstMs = performance.now();
      output.line('stopping …');
      stop.abort();
      return;
    }
    if (signal !== 'SIGINT' || performance.now() - firstMs < sameCtrlCMs) return;
    killAll();
    process.exit(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
}

await run(main);
