import { setTimeout as sleep } from 'node:timers/promises';
import { create, toBinary } from '@bufbuild/protobuf';
import { PutRequestSchema } from '../../src/api/gen/rpc_pb.ts';
import { must } from '../../src/lib/assert.ts';
import { intBetween, seededPrng } from '../../src/lib/prng.ts';
import type { Tally } from '../connection.ts';
import { Latencies } from '../latencies.ts';
import { type LoadSpec, sharesOf } from '../load.ts';
import { GrpcConnection } from './grpc_connection.ts';

/** What the process sends when its run is over. */
export interface GrpcResult {
  readonly requests: number;
  readonly errors: number;
  readonly elapsedMs: number;
  readonly counts: readonly number[];
}

const PREPARED = 2_000;

async function run(spec: LoadSpec): Promise<GrpcResult> {
  const tally: Tally = { requests: 0, errors: 0, latencies: new Latencies() };
  const connections = sharesOf(spec).flatMap((share, i) => {
    const messages = preparedPuts(spec, i + 1);
    const url = new URL(share.url);
    return Array.from(
      { length: share.connections },
      (_, j) => new GrpcConnection(url, messages, j * 31, tally),
    );
  });
  const startMs = performance.now();
  for (const connection of connections) connection.start();
  await sleep(spec.seconds * 1_000);
  const elapsedMs = performance.now() - startMs;
  for (const connection of connections) connection.stop();
  const { requests, errors, latencies } = tally;
  return { requests, errors, elapsedMs, counts: [...latencies.counts] };
}

/** The same keys and values as through the gateway. */
function preparedPuts({ keys, valueBytes }: LoadSpec, seed: number): Buffer[] {
  const prng = seededPrng(seed);
  const value = Buffer.from('x'.repeat(valueBytes));
  return Array.from({ length: PREPARED }, () => {
    const key = Buffer.from(`bench${String(intBetween(prng, 1, keys)).padStart(8, '0')}`);
    const message = toBinary(PutRequestSchema, create(PutRequestSchema, { key, value }));
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    return Buffer.concat([prefix, message]);
  });
}

const result = await run(JSON.parse(must(process.argv[2], 'what to run')) as LoadSpec);
process.send?.(result, () => process.exit(0));
