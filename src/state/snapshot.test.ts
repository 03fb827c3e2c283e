import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../config.ts';
import { MemoryStateStore } from './memory_store.ts';
import { STATE_SCHEMA_VERSION } from './schema.ts';
import { SnapshotError, SnapshotReceiver } from './snapshot.ts';
import { installed, range, Single } from './testing/single.ts';

describe('snapshots', () => {
  let member: Single;
  beforeEach(() => {
    member = new Single();
    member.grant(7n);
    for (let i = 0; i < 300; i++) member.put(`k${i % 50}`, `${i}`, { lease: i % 2 ? 7n : 0n });
    member.delete('k1', 'k2');
  });

  it('carry the whole state', () => {
    const machine = installed(member.snapshotChunks());
    expect(machine.appliedIndex).toBe(member.machine.appliedIndex);
    expect(machine.chain).toBe(member.machine.chain);
    for (const revision of [0, 2, 100, 301, 302]) {
      expect(machine.hashKv(revision)).toEqual(member.machine.hashKv(revision));
    }
    expect(machine.leaseTimeToLive(7n, true)).toEqual(member.machine.leaseTimeToLive(7n, true));
    const budget = { revisionsMax: 9_999, bytesMax: 9_999_999 };
    expect(machine.eventsFrom(2, true, budget)).toEqual(member.machine.eventsFrom(2, true, budget));
  });

  it('are of the moment they were opened, whatever comes while they are read', () => {
    const snapshot = member.machine.openSnapshot();
    const { hash } = member.machine.hashKv(0);
    const { revision } = member.machine;
    for (let i = 0; i < 50; i++) {
      member.put(`k${i}`, 'later');
      member.put(`new${i}`, 'later');
    }
    member.delete('k3', 'k5');
    member.compact(revision + 20);
    member.revoke(7n);
    member.machine.flush();
    const machine = installed(member.snapshotChunks(snapshot));
    expect([machine.appliedIndex, machine.appliedTerm]).toEqual([snapshot.index, snapshot.term]);
    expect(machine.revision).toBe(revision);
    expect(machine.hashKv(0).hash).toBe(hash);
    expect(machine.compactRevision).toBe(-1);
    expect(machine.leases()).toHaveLength(1);
    expect(machine.range(range('new0')).kvs).toEqual([]);
  });

  it('are cut into bounded chunks', () => {
    for (let i = 0; i < 8; i++) member.put(`big${i}`, 'x'.repeat(400_000));
    const chunks = member.snapshotChunks();
    expect(chunks.length).toBeGreaterThan(4);
    for (const chunk of chunks) {
      expect(chunk.length).toBeLessThan(limits.snapshotChunkBytes + limits.rowBytesMax);
    }
    expect(installed(chunks).hashKv(0)).toEqual(member.machine.hashKv(0));
  });

  it('are refused when anything is missing, changed or added', () => {
    for (let i = 0; i < 8; i++) member.put(`big${i}`, 'x'.repeat(400_000));
    const chunks = member.snapshotChunks();
    const receive = (given: readonly Uint8Array[]) => {
      const receiver = new SnapshotReceiver(new MemoryStateStore());
      for (const chunk of given) receiver.write(chunk);
      return receiver.finish();
    };
    expect(receive(chunks)).toEqual({ index: member.machine.appliedIndex, term: 1 });
    const [first, second, ...rest] = chunks as [Uint8Array, Uint8Array, ...Uint8Array[]];
    const changed = second.slice();
    changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 1;
    const broken: (readonly Uint8Array[])[] = [
      [],
      chunks.slice(0, -1),
      chunks.slice(1),
      [first, ...rest],
      [second, first, ...rest],
      [first, changed, ...rest],
      [first, first, second, ...rest],
      [...chunks, Uint8Array.of(1)],
      [Uint8Array.of(250)],
    ];
    for (const [i, given] of broken.entries()) {
      expect(() => receive(given), `case ${i}`).toThrow(SnapshotError);
    }
  });

  it('of another release are refused before anything of them is kept', () => {
    const [first = new Uint8Array()] = member.snapshotChunks();
    // A record's kind, then the version.
    expect(first[1]).toBe(STATE_SCHEMA_VERSION);
    const older = first.slice();
    older[1] = STATE_SCHEMA_VERSION - 1;
    const receiver = new SnapshotReceiver(new MemoryStateStore());
    expect(() => receiver.write(older)).toThrow(/written by an earlier release/);
    expect(() => receiver.finish()).toThrow(SnapshotError);
  });

  it('leave the live tables alone until they are installed', () => {
    const chunks = member.snapshotChunks();
    const other = new Single();
    other.put('mine', '1');
    other.machine.flush();
    const receiver = new SnapshotReceiver(other.store);
    for (const chunk of chunks) receiver.write(chunk);
    other.restart();
    expect(other.found('\0', '\0')).toEqual(['mine=1']);
    other.store.stageInstall();
    other.restart();
    expect(other.machine.hashKv(0)).toEqual(member.machine.hashKv(0));
  });
});
