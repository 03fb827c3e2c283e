import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { must } from '../src/lib/assert.ts';
import { LoadConnection, type Tally } from './connection.ts';
import { Latencies } from './latencies.ts';
import { type LoadSpec, sharesOf } from './load.ts';
import { prepareRequests } from './requests.ts';

/** What the worker thread posts when its run is over. */
export interface WorkerResult {
  readonly requests: number;
  readonly errors: number;
  readonly elapsedMs: number;
  readonly counts: Float64Array;
}

async function run(spec: LoadSpec): Promise<WorkerResult> {
  const tally: Tally = { requests: 0, errors: 0, latencies: new Latencies() };
  const connections = sharesOf(spec).flatMap((share, i) => {
    const url = new URL(share.url);
    const requests = httpRequests(url, spec, i + 1);
    return Array.from(
      { length: share.connections },
      // Spread over the prepared requests, so that connections do not follow one another's keys.
      (_, j) => new LoadConnection(url, requests, j * 31, tally),
    );
  });
  const startMs = performance.now();
  for (const connection of connections) connection.start();
  await sleep(spec.seconds * 1_000);
  const elapsedMs = performance.now() - startMs;
  for (const connection of connections) connection.stop();
  const { requests, errors, latencies } = tally;
  return { requests, errors, elapsedMs, counts: latencies.counts };
}

function httpRequests(url: URL, spec: LoadSpec, seed: number): Buffer[] {
  const { path, bodies } = prepareRequests(spec, seed);
  return bodies.map((body) =>
    Buffer.from(
      `POST ${path} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    ),
  );
}

const port = must(parentPort, 'this file runs in a worker thread');
port.postMessage(await run(workerData as LoadSpec));
