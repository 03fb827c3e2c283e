import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { WorkerResult } from './builtin_worker.ts';
import { Latencies } from './latencies.ts';
import type { LoadGenerator } from './load.ts';

/** The load generator for machines without wrk: a thread of this process with plain sockets. */
export const builtinGenerator: LoadGenerator = {
  name: 'built-in (one thread of Node; slower than wrk, so rates are lower for everyone)',
  async run(spec, signal) {
    const worker = new Worker(new URL('builtin_worker.mjs', import.meta.url), { workerData: spec });
    try {
      const [result] = (await once(worker, 'message', { signal })) as [WorkerResult];
      return {
        perSecond: result.requests / (result.elapsedMs / 1_000),
        requests: result.requests,
        errors: result.errors,
        latencies: new Latencies(result.counts),
      };
    } finally {
      await worker.terminate();
    }
  },
};
