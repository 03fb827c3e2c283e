import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { utf8 } from '../lib/bytes.ts';
import { crc32c } from '../lib/crc32c.ts';
import { VersionIndex, type VersionSummary } from './version_index.ts';

const summary = (modRevision: number, fields: Partial<VersionSummary> = {}): VersionSummary => ({
  createRevision: 1,
  modRevision,
  sub: 0,
  version: 1,
  lease: 0n,
  ...fields,
});

/** Keys whose checksums end alike: they are all in one chain. */
function colliding(count: number, chains: number): Uint8Array[] {
  const keys: Uint8Array[] = [];
  for (let i = 0; keys.length < count; i++) {
    const key = utf8(`key${i}`);
    if ((crc32c(key) & (chains - 1)) === 0) keys.push(key);
  }
  return keys;
}

const BYTES = 1_000;
const KEYS = [...colliding(30, 32), ...Array.from({ length: 30 }, (_, i) => utf8('x'.repeat(i)))];

describe('an index of versions', () => {
  it('gives back what it was given, as large as revisions become', () => {
    const index = new VersionIndex(BYTES);
    const large = { createRevision: 2 ** 40 + 7, sub: 65_535, version: 2 ** 32 - 1 };
    index.set(utf8('a'), summary(2 ** 48 - 1, large));
    index.set(utf8(''), summary(5));
    expect(index.get(utf8('a'))).toEqual(summary(2 ** 48 - 1, large));
    expect(index.get(utf8(''))).toEqual(summary(5));
    expect(index.get(utf8('b'))).toBe(null);
  });

  it.each<readonly [string, Uint8Array, VersionSummary]>([
    ['a lease', utf8('a'), summary(3, { lease: 1n })],
    ['more operations than fit', utf8('a'), summary(3, { sub: 65_536 })],
    ['more puts than fit', utf8('a'), summary(3, { version: 2 ** 32 })],
    ['a revision that does not fit', utf8('a'), summary(2 ** 48)],
    ['half of the memory as its key', new Uint8Array(BYTES / 2), summary(3)],
  ])('forgets a key whose newest version has %s', (_, key, next) => {
    const index = new VersionIndex(BYTES);
    index.set(key, summary(2));
    index.set(key, next);
    expect(index.get(key)).toBe(null);
  });

  it('keeps within its bound what was set last', () => {
    const index = new VersionIndex(300_000);
    const keys = Array.from({ length: 40_000 }, (_, i) => utf8(`key${String(i).padStart(9, '0')}`));
    for (const [i, key] of keys.entries()) index.set(key, summary(i + 2));
    const kept = keys.filter((key) => index.get(key) !== null);
    expect(kept.length).toBeGreaterThan(8_000);
    expect(kept.length * 36).toBeLessThanOrEqual(300_000);
    expect(kept).toEqual(keys.slice(-kept.length));
  });

  it('walks no further for keys that were made to be alike', () => {
    const index = new VersionIndex(100_000);
    const alike = colliding(40, 4_096);
    for (const [i, key] of alike.entries()) index.set(key, summary(i + 2));
    expect(alike.filter((key) => index.get(key) !== null)).toEqual(alike.slice(-17));
  });

  it('remembers nothing without memory', () => {
    const index = new VersionIndex(0);
    index.set(utf8(''), summary(2));
    index.delete(utf8(''));
    expect(index.get(utf8(''))).toBe(null);
  });

  test('says nothing that is not so, whatever it has forgotten', () => {
    const at = fc.nat(KEYS.length - 1);
    const step = fc.record({ at, drop: fc.boolean(), version: fc.integer({ min: 1, max: 9 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const index = new VersionIndex(BYTES);
        const newest = new Map<number, VersionSummary>();
        for (const [i, { at, drop, version }] of steps.entries()) {
          const key = KEYS[at] as Uint8Array;
          if (drop && version > 6) {
            index.delete(key);
            newest.delete(at);
          } else {
            newest.set(at, summary(i, { version }));
            index.set(key, summary(i, { version }));
            expect(index.get(key)).toEqual(newest.get(at));
          }
          for (const [other, bytes] of KEYS.entries()) {
            const found = index.get(bytes);
            if (found !== null) expect(found).toEqual(newest.get(other));
          }
        }
      }),
      { numRuns: 200, seed: 20_261_121 },
    );
  });
});
