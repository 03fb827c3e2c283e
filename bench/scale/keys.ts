import { must } from '../../src/lib/assert.ts';
import { startCluster } from '../cluster.ts';
import type { Kind } from '../options.ts';
import { encodedKey, encodedValue } from '../requests.ts';
import { median } from '../summary.ts';
import type { System } from '../system.ts';
import { type Finding, memoryFindings } from './finding.ts';
import { Client, inParallel } from './http.ts';
import { readMemory } from './memory.ts';
import { measureRestart } from './restart.ts';
import type { Scale } from './scale.ts';

const putsPerTxn = 128;
const fillers = 8;
const connections = 64;
const rounds = 3;
/** Distinct requests of a run: with fewer, a large key space would be measured by a small part. */
const preparedRequests = 50_000;
const kinds: readonly Kind[] = ['put', 'get', 'ser'];

/** One kind of load on both clusters, round by round. */
interface Rates {
  readonly kind: Kind;
  readonly few: readonly number[];
  readonly many: readonly number[];
}

/**
 * The same load on a cluster of few keys and on one of many, in turns, so that what else the
 * machine does falls on both; memory with many, and a restart with many.
 */
export async function measureKeys(scale: Scale): Promise<Finding[]> {
  const { system, signal, keys, fewKeys, progress } = scale;
  const small = await startCluster(signal);
  try {
    const before = await readMemory(system, signal);
    await fillKeys(scale, small, fewKeys);
    progress(`filling ${keys} keys`);
    const seconds = await fillKeys(scale, system, keys);
    const filled = await readMemory(system, signal);
    const rates: Rates[] = [];
    for (const kind of kinds) rates.push(await measureRates(scale, small, kind));
    const loaded = await readMemory(system, signal);
    return [
      {
        what: `${keys} keys of ${scale.valueBytes} bytes, ${putsPerTxn} puts in a transaction`,
        value: `${Math.round(keys / seconds)} keys/s`,
      },
      ...rates.map((each) => rateFinding(each, scale)),
      ...memoryFindings(`${keys} keys`, before, filled),
      ...memoryFindings('the load on them', filled, loaded),
      ...(await measureRestart(scale)),
    ];
  } finally {
    await small.stop();
  }
}

function rateFinding({ kind, few, many }: Rates, { fewKeys, keys }: Scale): Finding {
  const ratio = median(many.map((rate, round) => rate / must(few[round], 'as many rounds')));
  const [then, now] = [median(few), median(many)].map(Math.round);
  return {
    what: `${kind} x${connections} with ${fewKeys} and ${keys} keys`,
    value: `${then}/s and ${now}/s, ratio ${ratio.toFixed(2)}`,
  };
}

/** Puts all keys. @returns seconds */
async function fillKeys({ signal, valueBytes }: Scale, { members }: System, keys: number) {
  const client = new Client(must(members[0], 'a leader').url, fillers);
  const value = encodedValue(valueBytes);
  try {
    return await inParallel(Math.ceil(keys / putsPerTxn), fillers, signal, (i) => {
      const first = i * putsPerTxn;
      const count = Math.min(putsPerTxn, keys - first);
      const success = Array.from({ length: count }, (_, j) => ({
        request_put: { key: encodedKey(first + j + 1), value },
      }));
      return client.call('/v3/kv/txn', { success });
    });
  } finally {
    client.close();
  }
}

async function measureRates(scale: Scale, small: System, kind: Kind): Promise<Rates> {
  const { system, generator, seconds, valueBytes, signal, progress } = scale;
  const rate = async ({ members }: System, keys: number): Promise<number> => {
    const endpoints = members.map(({ url }) => url);
    const load = { endpoints, kind, connections, seconds, keys, valueBytes };
    const prepared = Math.min(preparedRequests, keys);
    return (await generator.run({ ...load, prepared }, signal)).perSecond;
  };
  const rates = { kind, few: [] as number[], many: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    rates.few.push(await rate(small, scale.fewKeys));
    rates.many.push(await rate(system, scale.keys));
    const [few, many] = [rates.few, rates.many].map((list) => Math.round(list.at(-1) ?? 0));
    progress(`${kind}: ${few}/s with ${scale.fewKeys} keys, ${many}/s with ${scale.keys}`);
  }
  return rates;
}
