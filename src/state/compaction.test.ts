import { beforeEach, describe, expect, it, vi } from 'vitest';
import { limits } from '../config.ts';
import { ALL_KEYS } from './key_range.ts';
import { brief, Single } from './testing/single.ts';

const COMPACTED = 'etcdserver: mvcc: required revision has been compacted';
const FUTURE = 'etcdserver: mvcc: required revision is a future revision';
const ALL = ['\0', '\0'] as const;
const BUDGET = { revisionsMax: 10_000, bytesMax: 100_000_000 };

describe('compaction', () => {
  let member: Single;
  beforeEach(() => {
    member = new Single();
  });

  const finish = () => {
    let slices = 0;
    while (member.machine.compactSlice()) slices++;
    expect(member.machine.compactionPending).toBe(false);
    return slices;
  };

  const events = (from: number) =>
    member.machine
      .eventsFrom(from, false, BUDGET)
      .flatMap((batch) => batch.events.map(({ kv }) => `${batch.revision} ${kv && brief(kv)}`));

  it('accepts each revision up to the current one, once and upwards', () => {
    member.put('a');
    const answers: [number, unknown][] = [
      [-1, COMPACTED],
      [3, FUTURE],
      [0, 'ok'],
      [0, COMPACTED],
      [1, 'ok'],
      [2, 'ok'],
      [1, COMPACTED],
      [2, COMPACTED],
    ];
    for (const [revision, expected] of answers) {
      const answer = member.compact(revision);
      expect(typeof answer === 'string' ? answer : 'ok', `at ${revision}`).toBe(expected);
    }
    expect(member.machine.revision).toBe(2);
  });

  it('refuses reads below it, and changes none at or above it, however far the rows are', () => {
    member.put('a', '1');
    member.put('a', '2');
    member.put('b', '1');
    member.delete('b');
    member.put('a', '3');
    const before = [4, 5, 6].map((revision) =>
      member.found(...ALL, { revision: BigInt(revision) }),
    );
    const hash = member.machine.hashKv(5).hash;
    member.compact(4);
    for (let more = true; more; more = member.machine.compactSlice()) {
      expect(member.found('a', '', { revision: 3n })).toBe(COMPACTED);
      const after = [4, 5, 6].map((revision) =>
        member.found(...ALL, { revision: BigInt(revision) }),
      );
      expect(after).toEqual(before);
      expect(member.machine.hashKv(5).hash).toBe(hash);
    }
    expect(() => member.machine.hashKv(3)).toThrow(COMPACTED);
    expect(() => member.machine.eventsFrom(3, false, BUDGET)).toThrow(COMPACTED);
  });

  it('keeps the deletion at the compact revision for watches, and no older one', () => {
    member.put('a', '1');
    member.put('b', '1');
    member.delete('a');
    member.delete('b');
    member.put('c', '1');
    member.compact(5);
    finish();
    expect(events(5)).toEqual(['5 b=', '6 c=1']);
    expect(member.store.count('history', ALL_KEYS)).toBe(1);
    expect(member.store.count('dead', ALL_KEYS)).toBe(0);
    member.compact(6);
    finish();
    expect(events(6)).toEqual(['6 c=1']);
  });

  it('leaves little of a key that was written a thousand times', () => {
    const value = 'x'.repeat(1_000);
    for (let i = 0; i < 1_000; i++) {
      member.put(`hot${i % 3}`, `${i}${value}`);
      if (member.machine.needsFlush()) member.machine.flush();
    }
    member.machine.flush();
    expect(member.store.sizeBytes()).toBeGreaterThan(1_000_000);
    member.compact(member.machine.revision);
    finish();
    expect(member.store.count('history', ALL_KEYS)).toBe(1);
    expect(member.store.sizeBytes()).toBeLessThan(10_000);
  });

  it('goes on after a restart where it was, and takes a newer revision over', () => {
    const rows = limits.compactionRowsPerSlice * 4;
    const value = 'x'.repeat(limits.historyRowBytes / 2);
    for (let i = 0; i < rows * 2; i++) member.put('k', `${i} ${value}`);
    member.compact(rows);
    expect(member.machine.compactSlice()).toBe(true);
    const left = member.store.count('history', ALL_KEYS);
    member.restart();
    expect(member.machine.compactionPending).toBe(true);
    expect(member.machine.compactSlice()).toBe(true);
    expect(member.store.count('history', ALL_KEYS)).toBeLessThan(left);
    member.compact(2 * rows);
    finish();
    expect(member.store.count('history', ALL_KEYS)).toBeLessThan(4);
    expect(member.found('k', '', { revision: BigInt(2 * rows) })).toEqual([
      `k=${2 * rows - 2} ${value}`,
    ]);
  });

  it('looks for a bounded number of keys in a slice, however many are in a row', () => {
    const keys = 3 * limits.compactionLookupsPerSlice;
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < keys; i++) member.put(`k${i}`, `${round}`);
    }
    member.machine.flush();
    member.restart();
    // All of them in one row or two.
    expect(member.store.count('history', ALL_KEYS)).toBeLessThan(4);
    const get = vi.spyOn(member.store, 'get');
    member.compact(member.machine.revision);
    for (let isMore = true; isMore; ) {
      get.mockClear();
      isMore = member.machine.compactSlice();
      expect(get.mock.calls.length).toBeLessThanOrEqual(limits.compactionLookupsPerSlice);
    }
    expect(member.found(...ALL)).toHaveLength(keys);
    expect(() => events(member.machine.revision - 5)).toThrow(COMPACTED);
  });

  it('waits while a snapshot is open', () => {
    member.put('a', '1');
    member.put('a', '2');
    const snapshot = member.machine.openSnapshot();
    member.compact(3);
    expect(member.machine.compactSlice()).toBe(false);
    expect(member.machine.compactionPending).toBe(true);
    snapshot.close();
    snapshot.close();
    finish();
  });
});
