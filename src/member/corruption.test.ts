import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../config.ts';
import { must } from '../lib/assert.ts';
import { utf8 } from '../lib/bytes.ts';
import type { MemberId } from '../raft/message.ts';
import { encodeMeta, META_KEY, readMeta } from '../state/meta.ts';
import { Single } from '../state/testing/single.ts';
import { CorruptionMonitor, verdict, Witness } from './corruption.ts';
import {
  decodeFingerprint,
  decodeFingerprintRequest,
  encodeFingerprint,
  encodeFingerprintRequest,
  type FingerprintRequest,
} from './fingerprint.ts';

describe('the verdict over what members have', () => {
  const judge = (sums: Record<string, number | null>, size = Object.keys(sums).length) =>
    verdict(new Map(Object.entries(sums)), size);

  it('accuses whoever differs from more than half', () => {
    expect(judge({ a: 1, b: 1, c: 1 })).toEqual([]);
    expect(judge({ a: 1, b: 1, c: 2 })).toEqual(['c']);
    expect(judge({ a: 2, b: 1, c: 1 })).toEqual(['a']);
    expect(judge({ a: 1, b: 1, c: 1, d: 2, e: 3 })).toEqual(['d', 'e']);
  });

  it('accuses nobody who cannot say anything', () => {
    expect(judge({ a: 1, b: null, c: null })).toEqual([]);
    expect(judge({ a: 1, b: 1, c: null })).toEqual([]);
  });

  it('does not know without a majority of the whole cluster', () => {
    expect(judge({ a: 1, b: 2 })).toBe('nobody knows');
    expect(judge({ a: 1, b: 2, c: null })).toBe('nobody knows');
    expect(judge({ a: 1, b: 1, c: 2, d: null, e: null })).toBe('nobody knows');
  });
});

/** A definition of the checksum that this release does not know. */
const OLDER = 1_000;

/** A leader and two followers, which apply the same commands. */
class Cluster {
  readonly members = new Map<MemberId, Single>(['a', 'b', 'c'].map((id) => [id, new Single()]));
  readonly raised: (MemberId | null)[] = [];
  readonly unreachable = new Set<MemberId>();
  readonly log: string[] = [];
  /** Members of a release that sums outcomes up in another way. */
  readonly older = new Set<MemberId>();
  realigned = 0;
  leads = true;
  isAwake = true;
  timeMs = 0;
  readonly monitor: CorruptionMonitor;
  readonly #witnesses = new Map<MemberId, Witness>();
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  constructor(checkMs = 3_600_000) {
    const slices = (id: MemberId) => ({
      machine: () => this.of(id).machine,
      guard: <T>(work: () => T) => work(),
      pause: async () => {},
    });
    for (const id of this.members.keys()) this.#witnesses.set(id, new Witness(slices(id)));
    this.monitor = new CorruptionMonitor(
      {
        ...slices('a'),
        memberId: 'a',
        nowMs: () => this.timeMs,
        sleep: async (ms) => {
          this.timeMs += ms;
          await new Promise((resolve) => setImmediate(resolve));
        },
        setTimer: (callback, ms) => {
          this.#timers.push({ atMs: this.timeMs + ms, callback });
        },
        leading: () => this.leads,
        awake: () => this.isAwake,
        peers: () => ['b', 'c'],
        ask: async (peer, request) => this.#ask(peer, request),
        realign: async () => {
          this.realigned++;
          for (const id of this.members.keys()) this.agreeOnVersion(id);
        },
        raise: async (member) => {
          this.raised.push(member);
        },
        log: (level, message) => {
          this.log.push(`${level}: ${message}`);
        },
      },
      checkMs,
    );
  }

  of(id: MemberId): Single {
    return must(this.members.get(id), 'a member');
  }

  put(key: string, value: string, ids = [...this.members.keys()]): void {
    for (const id of ids) this.of(id).put(key, value);
  }

  /** Changes a row of one member behind its back. */
  damage(id: MemberId, key: string): void {
    const member = this.of(id);
    member.machine.flush();
    const row = must(member.store.get('kv', utf8(key)), 'a row').slice();
    // The value's last byte, before the place of the version before.
    row[row.length - 2] = (row[row.length - 2] ?? 0) ^ 1;
    member.store.put('kv', [{ key: utf8(key), value: row }]);
    member.restart();
  }

  agreeOnVersion(id: MemberId): void {
    const value = { $typeName: 'edgetcd.ClusterVersionSet', version: '3.5.0' } as const;
    this.of(id).apply({ case: 'clusterVersionSet', value });
  }

  /** From now on the member runs this release; until now it was of an older one. */
  upgrade(id: MemberId): void {
    this.older.delete(id);
    const { machine, store } = this.of(id);
    machine.flush();
    const meta = readMeta(store);
    const chain = { ...meta.chain, definition: OLDER, value: 12_345 };
    store.put('meta', [{ key: META_KEY, value: encodeMeta({ ...meta, chain }) }]);
    this.of(id).restart();
  }

  async ring(): Promise<void> {
    const next = must(this.#timers.shift(), 'a timer');
    this.timeMs = next.atMs;
    next.callback();
    // A comparison takes some turns of the event loop, and sets the next timer when it ends.
    for (let i = 0; i < 20 && this.#timers.length === 0; i++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  get timers(): number {
    return this.#timers.length;
  }

  #ask(peer: MemberId, request: FingerprintRequest) {
    if (this.unreachable.has(peer)) throw new Error('Network connection lost.');
    const asked = decodeFingerprintRequest(encodeFingerprintRequest(request));
    const witness = must(this.#witnesses.get(peer), 'a witness');
    const { chain, ...rest } = decodeFingerprint(encodeFingerprint(witness.testify(asked)));
    if (chain === null || !this.older.has(peer)) return { chain, ...rest };
    return { chain: { ...chain, definition: OLDER, value: 12_345 }, ...rest };
  }
}

describe('a comparison', () => {
  let cluster: Cluster;
  beforeEach(() => {
    cluster = new Cluster();
    for (let i = 0; i < 20; i++) cluster.put(`k${i}`, 'value');
  });

  it('finds nothing where all is well, also when members are not equally far', async () => {
    cluster.of('b').machine.flush();
    await cluster.monitor.compare(true);
    cluster.put('later', '1', ['b']);
    await cluster.monitor.compare(true);
    expect(cluster.raised).toEqual([]);
  });

  it.each(['a', 'b', 'c'])('finds a damaged row at %s', async (id) => {
    cluster.damage(id, 'k7');
    await cluster.monitor.compare(false);
    expect(cluster.raised).toEqual([]);
    await cluster.monitor.compare(true);
    expect(cluster.raised).toEqual([id]);
    expect(cluster.log.join()).toContain('error: members differ in their keys at revision 21');
  });

  it('finds commands that came out differently, without reading a key', async () => {
    cluster.put('x', 'one', ['a', 'b']);
    cluster.put('x', 'two', ['c']);
    await cluster.monitor.compare(false);
    expect(cluster.raised).toEqual(['c']);
  });

  it('with one member away knows of a difference, and not whose it is', async () => {
    cluster.unreachable.add('b');
    cluster.damage('c', 'k7');
    await cluster.monitor.compare(true);
    expect(cluster.raised).toEqual([null]);
  });

  it('passes over a member that is behind, and one that has compacted the revision', async () => {
    cluster.put('x', '1', ['a', 'b']);
    await cluster.monitor.compare(false);
    expect(cluster.timeMs).toBeGreaterThanOrEqual(limits.comparisonLagMs);
    cluster.put('x', '1', ['c']);
    cluster.put('y', '1', ['c']);
    cluster.of('c').compact(cluster.of('c').machine.revision);
    await cluster.monitor.compare(true);
    expect(cluster.raised).toEqual([]);
  });

  it('looks anew when the same revision is compared again', async () => {
    await cluster.monitor.compare(true);
    cluster.damage('b', 'k7');
    await cluster.monitor.compare(true);
    expect(cluster.raised).toEqual(['b']);
  });
});

describe('an upgrade, one member after another', () => {
  let cluster: Cluster;
  beforeEach(() => {
    cluster = new Cluster();
    for (const id of cluster.members.keys()) cluster.older.add(id);
    cluster.put('x', '1');
  });

  it('raises no alarm, whoever is ahead', async () => {
    for (const id of ['a', 'b', 'c']) {
      cluster.upgrade(id);
      cluster.put('y', id);
      await cluster.monitor.compare(true);
    }
    expect(cluster.raised).toEqual([]);
  });

  it('lets outcomes be compared again when it is over', async () => {
    for (const id of ['a', 'b', 'c']) {
      expect(cluster.realigned).toBe(0);
      cluster.upgrade(id);
      cluster.put('y', id);
      await cluster.monitor.compare(false);
    }
    expect(cluster.realigned).toBe(1);
    cluster.put('z', '1');
    await cluster.monitor.compare(false);
    expect(cluster.realigned).toBe(1);
    expect(cluster.raised).toEqual([]);
    cluster.put('z', 'one', ['a', 'b']);
    cluster.put('z', 'two', ['c']);
    await cluster.monitor.compare(false);
    expect(cluster.raised).toEqual(['c']);
  });
});

describe('the monitor', () => {
  it('compares outcomes each minute in which something was applied, keys when they are due', async () => {
    const cluster = new Cluster(3 * limits.outcomeCheckMs);
    cluster.put('k', 'value');
    cluster.monitor.wake();
    await cluster.ring();
    cluster.damage('c', 'k');
    await cluster.ring();
    expect(cluster.raised).toEqual([]);
    await cluster.ring();
    expect(cluster.raised).toEqual(['c']);
  });

  it('is silent on a member that does not lead, and where it is switched off', async () => {
    const cluster = new Cluster(limits.outcomeCheckMs);
    cluster.put('k', 'value');
    cluster.damage('c', 'k');
    cluster.leads = false;
    cluster.monitor.wake();
    expect(cluster.timers).toBe(0);
    const off = new Cluster(0);
    off.monitor.wake();
    expect(off.timers).toBe(0);
  });

  it('stops when it does not lead any more', async () => {
    const cluster = new Cluster(limits.outcomeCheckMs);
    cluster.put('k', 'value');
    cluster.monitor.wake();
    cluster.damage('c', 'k');
    cluster.leads = false;
    await cluster.ring();
    expect(cluster.raised).toEqual([]);
    expect(cluster.timers).toBe(0);
  });

  it('compares once more what was done before the cluster fell asleep, and lets it sleep', async () => {
    const cluster = new Cluster(limits.outcomeCheckMs);
    cluster.put('k', 'value');
    cluster.monitor.wake();
    cluster.damage('c', 'k');
    cluster.isAwake = false;
    await cluster.ring();
    expect(cluster.raised).toEqual(['c']);
    expect(cluster.timers).toBe(0);
    cluster.monitor.wake();
    cluster.monitor.wake();
    expect(cluster.timers).toBe(1);
  });
});
