import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { CallFailed, call, encode, leaderOf, scan } from './client.ts';
import { eventually, freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';

/** A check, and a command through the cluster, on a machine that is busy. */
const SLACK_MS = 2_500;

/** A lease with a key, as its client knows it. */
interface Held {
  readonly id: string;
  readonly ttlMs: number;
  /** It was told at this time that the lease lives: it must not end before its TTL from then. */
  aliveMs: number;
}

describe('leases of a local cluster whose leader is killed', () => {
  const workshop = new Workshop();
  let cluster: RunningCluster;

  beforeEach(async () => {
    cluster = await workshop.launch({ dataDir: workshop.dataDir(), port: await freeFirstPort() });
  }, 60_000);
  afterEach(() => workshop.clear());

  const endpoint = (i: number): string =>
    must(cluster.endpoints[i % cluster.endpoints.length], 'a member of the cluster');

  /** Some member answers: those that are down, or know of no leader, are passed over. */
  async function anywhere<T>(ask: (url: string) => Promise<T>, first = 0): Promise<T> {
    for (let i = first; ; i++) {
      try {
        return await ask(endpoint(i));
      } catch (error) {
        if (!(error instanceof CallFailed) || i > first + 60) throw error;
        await sleep(100);
      }
    }
  }

  async function grant(ttlSeconds: number, i: number): Promise<Held> {
    const id = String(1_000 + i);
    const beforeMs = performance.now();
    // Of two tries the first may have gone through: then the lease exists, and is this one.
    await anywhere(async (url) => {
      const body = { TTL: String(ttlSeconds), ID: id };
      await call(url, '/v3/lease/grant', body, 2_000).catch((error) => {
        if (!String(error).includes('already exists')) throw error;
      });
    }, i);
    const put = { key: encode(`held/${id}`), value: '', lease: id };
    await anywhere((url) => call(url, '/v3/kv/put', put, 2_000), i);
    return { id, ttlMs: ttlSeconds * 1_000, aliveMs: beforeMs };
  }

  /** @returns whether the lease lives still */
  async function keepAlive(lease: Held, i: number): Promise<boolean> {
    let sentMs = 0;
    const answer = await anywhere(async (url) => {
      sentMs = performance.now();
      return await call(url, '/v3/lease/keepalive', { ID: lease.id }, 2_000);
    }, i);
    const { TTL } = answer['result'] as { TTL?: string };
    if (TTL === undefined) return false;
    lease.aliveMs = Math.max(lease.aliveMs, sentMs);
    return true;
  }

  async function leaderName(): Promise<string> {
    return anywhere(async (url) => {
      const { leader } = await leaderOf(url);
      for (const [i, other] of cluster.endpoints.entries()) {
        const status = await leaderOf(other).catch(() => null);
        if (status?.memberId === leader) return must(cluster.names[i], 'a name');
      }
      throw new CallFailed('no member is the leader');
    });
  }

  async function living(): Promise<ReadonlySet<string>> {
    const { kvs } = await anywhere((url) => scan(url, 'held/'));
    return new Set(kvs.map(({ key }) => key.slice('held/'.length)));
  }

  test('live while they are kept alive, through every kill', async () => {
    const leases = await Promise.all(Array.from({ length: 12 }, (_, i) => grant(4, i)));
    let kills = 0;
    const keep = async (lease: Held, i: number): Promise<void> => {
      for (let round = i; kills < 4; round++) {
        expect(await keepAlive(lease, round), `lease ${lease.id} lives`).toBe(true);
        await sleep(500);
      }
    };
    const kill = async (): Promise<void> => {
      while (kills < 4) {
        await sleep(1_500);
        await cluster.killAndAwaitReturn(await leaderName());
        kills++;
      }
    };
    await Promise.all([kill(), ...leases.map(keep)]);
    expect((await living()).size).toBe(leases.length);
  });

  test('end not before their time when leaders change, and not much after it', async () => {
    const leases = await Promise.all([2, 3, 4, 5, 6, 7, 8, 9].map(grant));
    await sleep(1_000);
    await cluster.killAndAwaitReturn(await leaderName());
    const leads = await leaderName();
    // From here on the leader stays: each ends a full TTL after it took over, at the latest.
    const stableMs = performance.now();
    const endedMs = new Map<string, number>();
    await eventually('all leases have ended', 40_000, async () => {
      const nowMs = performance.now();
      const alive = await living();
      for (const { id } of leases) if (!alive.has(id) && !endedMs.has(id)) endedMs.set(id, nowMs);
      return alive.size === 0;
    });
    expect(await leaderName()).toBe(leads);
    for (const { id, ttlMs, aliveMs } of leases) {
      const atMs = must(endedMs.get(id), 'it has ended');
      // The look that missed it first may have been on its way for a moment.
      expect(atMs, `lease ${id} not early`).toBeGreaterThanOrEqual(aliveMs + ttlMs);
      expect(atMs, `lease ${id} not late`).toBeLessThan(stableMs + ttlMs + SLACK_MS);
    }
  });

  test('survive the death of all members, with their full time', async () => {
    const lease = await grant(5, 0);
    await sleep(3_000);
    await cluster.killEverything();
    const beforeMs = performance.now();
    const port = Number(new URL(endpoint(0)).port);
    cluster = await workshop.launch({ dataDir: cluster.dataDir, port });
    const readyMs = performance.now();
    let goneMs = 0;
    await eventually('it has ended', 20_000, async () => {
      const isAlive = (await living()).has(lease.id);
      if (!isAlive) goneMs = performance.now();
      return !isAlive;
    });
    expect(goneMs).toBeGreaterThanOrEqual(beforeMs + lease.ttlMs);
    expect(goneMs).toBeLessThan(readyMs + lease.ttlMs + SLACK_MS);
  });
});
