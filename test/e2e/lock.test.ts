import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { CallFailed, call, encode, scan } from './client.ts';
import { eventually, freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';

type Json = Record<string, unknown>;

/** One stay of a client in the critical section. */
interface Holding {
  readonly key: string;
  /** The fencing token. */
  readonly token: number;
  /** Of the write that was made under the token; null: none came about. */
  readonly written: number | null;
}

describe('locks of a local cluster whose members are killed', () => {
  const workshop = new Workshop();
  let cluster: RunningCluster;

  beforeEach(async () => {
    cluster = await workshop.launch({ dataDir: workshop.dataDir(), port: await freeFirstPort() });
  }, 60_000);
  afterEach(() => workshop.clear());

  const endpoint = (i: number): string =>
    must(cluster.endpoints[i % cluster.endpoints.length], 'a member of the cluster');

  /**
   * Takes the lock with a lease of its own, and writes as the guide says: only while its key has
   * the revision that it was created in.
   */
  async function holdOnce(url: string, client: number, round: number): Promise<Holding> {
    const lease = String(100_000 * (client + 1) + round);
    await call(url, '/v3/lease/grant', { TTL: '3', ID: lease }, 3_000);
    const name = encode('lock');
    const { key } = await call(url, '/v3/lock/lock', { name, lease }, 15_000);
    const found = await call(url, '/v3/kv/range', { key }, 3_000);
    const kv = (found['kvs'] as Json[] | undefined)?.[0];
    if (!kv) throw new CallFailed('the lock was lost at once');
    const token = kv['create_revision'];
    // Sometimes it stays longer than its lease lives, and does not know.
    await sleep(round % 5 === 4 ? 4_000 : 20);
    const write = {
      compare: [{ key, target: 'CREATE', create_revision: token }],
      success: [{ request_put: { key: encode('guarded'), value: encode(`${token}`) } }],
    };
    const answer = await call(url, '/v3/kv/txn', write, 3_000);
    const header = answer['header'] as Json;
    const written = answer['succeeded'] === true ? Number(header['revision']) : null;
    await call(url, '/v3/lock/unlock', { key }, 3_000);
    return { key: String(key), token: Number(token), written };
  }

  test('are held by one at a time in the order of revisions', async () => {
    const holdings: Holding[] = [];
    let kills = 0;
    const client = async (id: number): Promise<void> => {
      for (let round = 0; kills < 4; round++) {
        try {
          holdings.push(await holdOnce(endpoint(id + round), id, round));
        } catch (error) {
          // Whatever it holds or waits for ends with its lease.
          if (!(error instanceof CallFailed)) throw error;
          await sleep(100);
        }
      }
    };
    const killer = async (): Promise<void> => {
      for (; kills < 4; kills++) {
        await sleep(3_000);
        await cluster.killAndAwaitReturn(must(cluster.names[kills % 3], 'a name'));
      }
    };
    await Promise.all([killer(), ...[0, 1, 2, 3, 4, 5].map(client)]);

    // Tokens rise, and what was written under one came before the next was held.
    const byToken = [...holdings].sort((a, b) => a.token - b.token);
    expect(new Set(byToken.map(({ token }) => token)).size).toBe(byToken.length);
    const written = byToken.flatMap((each) => each.written ?? []);
    expect(written.length).toBeGreaterThan(10);
    expect(written).toEqual([...written].sort((a, b) => a - b));
    await checkOverlaps(byToken);
  });

  /** At the revision of each write no older holder's key existed any more. */
  async function checkOverlaps(byToken: readonly Holding[]): Promise<void> {
    for (const { token, written } of byToken) {
      if (written === null) continue;
      const body = {
        key: encode('lock/'),
        range_end: encode('lock0'),
        max_create_revision: String(token - 1),
        revision: String(written),
      };
      const older = await call(endpoint(0), '/v3/kv/range', body);
      expect(older['kvs'] ?? [], `before token ${token}`).toEqual([]);
    }
  }

  test('pass over a waiter that has gone away', async () => {
    const url = endpoint(0);
    for (const ID of ['1', '2', '3']) await call(url, '/v3/lease/grant', { TTL: '120', ID });
    const name = encode('lock');
    const { key } = await call(url, '/v3/lock/lock', { name, lease: '1' });
    const gone = call(endpoint(1), '/v3/lock/lock', { name, lease: '2' }, 1_000);
    await expect(gone).rejects.toThrow(CallFailed);
    const third = call(endpoint(2), '/v3/lock/lock', { name, lease: '3' }, 60_000);
    const waiting = async () => (await scan(url, 'lock/')).kvs.map((kv) => kv.key);
    // Over plain HTTP it is the next blank line that finds the client gone.
    await eventually('only the third waits', 30_000, async () => {
      return (await waiting()).join() === 'lock/1,lock/3';
    });
    await call(url, '/v3/lock/unlock', { key });
    expect((await third)['key']).toBe(encode('lock/3'));
  });

  test('are not given to a client whose lease ended while it waited', async () => {
    const url = endpoint(0);
    for (const ID of ['1', '2']) await call(url, '/v3/lease/grant', { TTL: '120', ID });
    const name = encode('lock');
    await call(url, '/v3/lock/lock', { name, lease: '1' });
    const second = call(endpoint(1), '/v3/lock/lock', { name, lease: '2' }, 20_000);
    const refused = expect(second).rejects.toThrow(CallFailed);
    await sleep(500);
    for (const ID of ['2', '1']) await call(url, '/v3/lease/revoke', { ID });
    await refused;
    expect((await scan(url, 'lock/')).kvs).toEqual([]);
  });
});
