import { once } from 'node:events';
import type { LocalCluster } from './cluster.ts';
import type { Output } from './output.ts';
import { showReady } from './readiness.ts';

/**
 * npm passes a terminal's Ctrl-C on, so that one arrives twice: a second one comes later than this.
 */
const sameCtrlCMs = 300;

/**
 * Starts what is opened and keeps it until a signal. @throws StartError when it will never serve
 */
export async function keepUntilSignal(
  open: () => Promise<LocalCluster>,
  output: Output,
): Promise<void> {
  const stop = new AbortController();
  const stopped = once(stop.signal, 'abort');
  let cluster: LocalCluster | null = null;
  onSignals(stop, output, () => cluster?.kill());
  try {
    cluster = await open();
    if (!stop.signal.aborted) await cluster.start();
    if (!stop.signal.aborted)
      await Promise.race([stopped, showReady(cluster, output, stop.signal)]);
    await stopped;
  } finally {
    await cluster?.stop();
  }
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
