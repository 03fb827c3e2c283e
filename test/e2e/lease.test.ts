import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { CallFailed, call, encode, leaderAmong, scan } from './client.ts';
import { eventually, freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';

/** A check, and a command through the cluster, on a machine that is busy. */
const SLACK_MS = 8_000;

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

  const leaderName = async (): Promise<string> =>
    must(cluster.names[await leaderAmong(cluster.endpoints)], 'a name');

  async function currentTerm(): Promise<number> {
    const { header } = await anywhere((url) => call(url, '/v3/maintenance/status', {}));
    return Number((header as { raft_term?: string }).raft_term);
  }

  /**
   * Waits until they are gone, and checks when. Whoever comes to lead gives each of them its full
   * time again: they end so much after the last change of leader that was seen, at the latest.
   */
  async function expectEnds(leases: readonly Held[], withinMs: number): Promise<void> {
    let term = await currentTerm();
    let stableMs = performance.now();
    const ends = new Map<string, { lookMs: number; seenMs: number; stableMs: number }>();
    await eventually('all leases have ended', withinMs, async () => {
      const now = await currentTerm();
      if (now > term) [term, stableMs] = [now, performance.now()];
      const lookMs = performance.now();
      const alive = await living();
      const seenMs = performance.now();
      for (const { id } of leases) {
        if (!alive.has(id) && !ends.has(id)) ends.set(id, { lookMs, seenMs, stableMs });
      }
      return alive.size === 0;
    });
    for (const { id, ttlMs, aliveMs } of leases) {
      // The look that missed it first may have been on its way for a moment.
      const end = must(ends.get(id), 'it has ended');
      expect(end.seenMs, `lease ${id} not early`).toBeGreaterThanOrEqual(aliveMs + ttlMs);
      expect(end.lookMs, `lease ${id} not late`).toBeLessThan(end.stableMs + ttlMs + SLACK_MS);
    }
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
    await leaderName();
    await expectEnds(leases, 40_000);
  });

  test('survive the death of all members, with their full time', async () => {
    const lease = await grant(5, 0);
    await sleep(1_500);
    await cluster.killEverything();
    // Whoever comes to lead gives it its full time again.
    lease.aliveMs = performance.now();
    const port = Number(new URL(endpoint(0)).port);
    cluster = await workshop.launch({ dataDir: cluster.dataDir, port });
    await expectEnds([lease], 20_000);
  });
});
