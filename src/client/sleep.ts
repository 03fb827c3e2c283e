/** Returns after so long. @throws the reason of the signal that fires meanwhile */
export function sleep(ms: number, ...signals: readonly (AbortSignal | null)[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener('abort', abort);
    };
    const abort = (): void => {
      done();
      reject(signals.find((signal) => signal?.aborted)?.reason);
    };
    const timer = setTimeout(() => {
      done();
      resolve();
    }, ms);
    if (signals.some((signal) => signal?.aborted)) return abort();
    for (const signal of signals) signal?.addEventListener('abort', abort);
  });
}
