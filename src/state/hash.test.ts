import { describe, expect, it } from 'vitest';
import { limits } from '../config.ts';
import { must } from '../lib/assert.ts';
import type { KvHash } from './hash.ts';
import { Single } from './testing/single.ts';

/** Works off a hash, doing something before each slice. */
function hashWhile(member: Single, revision: number, meanwhile: (slice: number) => void): KvHash {
  const open = member.machine.openHash(revision);
  for (let slice = 0; ; slice++) {
    meanwhile(slice);
    const hash = open.next();
    if (hash === null) continue;
    open.close();
    return hash;
  }
}

describe('a hash made in slices', () => {
  const keys = limits.hashSliceKeysMax * 2 + 10;
  const name = (i: number) => `k${String(i).padStart(6, '0')}`;
  const filled = () => {
    const member = new Single();
    for (let i = 0; i < keys; i++) member.put(name(i), `${i}`);
    return member;
  };

  it('is of its revision, whatever is written, deleted, flushed and compacted meanwhile', () => {
    const member = filled();
    const { revision } = member.machine;
    const expected = member.machine.hashKv(0);
    let slices = 0;
    const hash = hashWhile(member, 0, (slice) => {
      slices++;
      member.put(name(slice * 100), 'changed');
      member.put(`new${slice}`, 'x');
      member.delete(name(keys - 1 - slice));
      member.delete(name(1_000 + slice));
      if (slice === 1) {
        member.machine.flush();
        member.compact(member.machine.revision);
        // The rows stay while the hash needs them.
        expect(member.machine.compactSlice()).toBe(false);
      }
    });
    expect(slices).toBe(3);
    expect(hash).toEqual(expected);
    expect(hash.hashRevision).toBe(revision);
    while (member.machine.compactSlice());
    expect(member.machine.compactionPending).toBe(false);
  });

  it('tells any change of a key from none', () => {
    const member = new Single();
    member.grant(7n);
    const hashes = new Set<number>();
    const changes: (() => unknown)[] = [
      () => member.put('a', '1'),
      () => member.put('a', '1'),
      () => member.put('a', '2'),
      () => member.put('a', '2', { lease: 7n }),
      () => member.put('b', ''),
      () => member.delete('b'),
    ];
    for (const change of changes) {
      change();
      hashes.add(member.machine.hashKv(0).hash);
    }
    // The last one is again what it was before b.
    expect(hashes.size).toBe(changes.length - 1);
  });

  it('fails where nothing can be read, and reports what is compacted', () => {
    const member = new Single();
    expect(member.machine.hashKv(0)).toEqual({ hash: 0, compactRevision: -1, hashRevision: 1 });
    member.put('a');
    member.put('a');
    expect(() => member.machine.openHash(4)).toThrow('required revision is a future revision');
    member.compact(3);
    expect(() => member.machine.openHash(2)).toThrow('required revision has been compacted');
    expect(must(member.machine.openHash(3).next(), 'one slice').compactRevision).toBe(3);
  });
});
