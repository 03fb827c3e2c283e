import { setTimeout as sleep } from 'node:timers/promises';
import { METHOD_MESSAGES } from '../../src/api/gen/messages.ts';
import { methodNumber, SESSION_PATH, SESSION_VERSION } from '../../src/api/session-methods.ts';
import { encodeBinary } from '../../src/client/binary.ts';
import { messageSchema } from '../../src/client/schema.ts';
import { must } from '../../src/lib/assert.ts';
import { utf8 } from '../../src/lib/bytes.ts';
import { intBetween, seededPrng } from '../../src/lib/prng.ts';
import { Latencies } from '../latencies.ts';
import type { LoadResult, LoadSpec } from '../load.ts';
import type { Kind } from '../options.ts';
import { SessionSocket, type SessionTally } from './session_socket.ts';

/** All operations travel on so few sockets: what is under way together shares frames. */
const socketsMax = 6;

/** Requests prepared for a run and then repeated. */
const prepared = 2_000;

/** Before anything is counted. */
const warmUpMs = 500;

const path = (kind: Kind) => (kind === 'put' ? '/v3/kv/put' : '/v3/kv/range');

/**
 * Operations in closed loops over sessions with the first endpoint, where clients go as soon as
 * they know that it leads: each is issued again when it is answered. In this process, which does
 * nothing else meanwhile.
 */
export async function runSessions(spec: LoadSpec, signal: AbortSignal): Promise<LoadResult> {
  const tally: SessionTally = { requests: 0, errors: 0, latencies: new Latencies() };
  const endpoint = must(spec.endpoints[0], 'an endpoint');
  const url = endpoint.replace(/^http/, 'ws') + SESSION_PATH;
  const count = Math.min(socketsMax, spec.connections);
  const sockets = Array.from({ length: count }, (_, i) => {
    const least = Math.floor(spec.connections / count);
    const operations = least + (i < spec.connections % count ? 1 : 0);
    return new SessionSocket(url, methodNumber(path(spec.kind)), requests(spec, i + 1), operations);
  });
  try {
    await Promise.all(sockets.map((socket) => socket.open(SESSION_VERSION)));
    await sleep(Math.min(warmUpMs, spec.seconds * 1_000), undefined, { signal });
    const startMs = performance.now();
    for (const socket of sockets) socket.count(tally);
    await sleep(spec.seconds * 1_000, undefined, { signal });
    for (const socket of sockets) socket.count(null);
    const seconds = (performance.now() - startMs) / 1_000;
    return { ...tally, perSecond: tally.requests / seconds };
  } finally {
    for (const socket of sockets) socket.close();
  }
}

/** The same keys and values as through the gateway. */
function requests(spec: LoadSpec, seed: number): Uint8Array[] {
  const prng = seededPrng(seed);
  const schema = messageSchema(METHOD_MESSAGES[path(spec.kind)][0]);
  const value = utf8('x'.repeat(spec.valueBytes));
  return Array.from({ length: spec.prepared ?? prepared }, () => {
    const key = utf8(`bench${String(intBetween(prng, 1, spec.keys)).padStart(8, '0')}`);
    const serializable = spec.kind === 'ser';
    return encodeBinary(schema, spec.kind === 'put' ? { key, value } : { key, serializable });
  });
}
