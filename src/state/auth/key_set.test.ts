import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../lib/bytes.ts';
import { isOpenEnd, keyRangeOf } from '../key_range.ts';
import { KeySet } from './key_set.ts';

type Range = readonly [key: string, rangeEnd: string];

const setOf = (...ranges: readonly Range[]) =>
  new KeySet(ranges.map(([key, end]) => keyRangeOf(utf8(key), utf8(end))));
const covers = (set: KeySet, key: string, end = '') => set.covers(keyRangeOf(utf8(key), utf8(end)));

describe('a set of keys', () => {
  it('holds single keys', () => {
    const set = setOf(['b', '']);
    expect(covers(set, 'b')).toBe(true);
    for (const key of ['a', 'b\0', 'ba', 'c', '']) expect(covers(set, key)).toBe(false);
    expect(covers(set, 'b', 'b\0')).toBe(true);
    expect(covers(set, 'b', 'c')).toBe(false);
    expect(covers(set, 'b', '\0')).toBe(false);
  });

  it('joins ranges that touch, and only those', () => {
    const set = setOf(['c', 'd'], ['a', 'b'], ['b', 'c']);
    expect(covers(set, 'a', 'd')).toBe(true);
    expect(covers(set, 'a', 'd\0')).toBe(false);
    expect(covers(setOf(['a', 'b'], ['b\0', 'd']), 'a', 'd')).toBe(false);
    expect(covers(setOf(['a', ''], ['a\0', 'c']), 'a', 'c')).toBe(true);
  });

  it('knows an open end', () => {
    const set = setOf(['m', '\0'], ['x', 'z']);
    expect(covers(set, 'm', '\0')).toBe(true);
    expect(covers(set, 'zzz', '\0')).toBe(true);
    expect(covers(set, 'l', '\0')).toBe(false);
    expect(covers(setOf(['\0', '\0']), '\0', '\0')).toBe(true);
  });

  it('keeps the longer of two ranges with one beginning', () => {
    expect(covers(setOf(['a', 'z'], ['a', 'b']), 'a', 'y')).toBe(true);
    expect(covers(setOf(['a', 'b'], ['a', 'z']), 'a', 'y')).toBe(true);
  });

  it('does not hold an empty range, which no permission is about', () => {
    const set = setOf(['a', 'z']);
    expect(covers(set, 'b', 'b')).toBe(false);
    expect(covers(set, 'c', 'b')).toBe(false);
  });

  it('covers a range when it holds every key of it', () => {
    // All keys of up to three letters of a small alphabet stand for all keys: ends are among them.
    const letters = ['\0', 'a', 'b'];
    const keys = letters.flatMap((x) => [
      x,
      ...letters.flatMap((y) => [x + y, ...letters.map((z) => x + y + z)]),
    ]);
    const point = fc.constantFrom(...keys.filter((key) => key.length < 3));
    const range = fc.tuple(point, fc.oneof(fc.constant(''), point));
    fc.assert(
      fc.property(fc.array(range, { maxLength: 6 }), range, (granted, asked) => {
        const set = setOf(...granted);
        const wanted = keys.filter((key) => holds(asked, key));
        const expected = wanted.length > 0 && wanted.every((key) => covers(set, key));
        const byHand = wanted.every((key) => granted.some((one) => holds(one, key)));
        expect(expected).toBe(wanted.length > 0 && byHand);
        const openWithout = isOpenEnd(utf8(asked[1])) && !granted.some(([, end]) => end === '\0');
        if (covers(set, ...asked)) expect(expected).toBe(true);
        else if (!openWithout) expect(expected).toBe(false);
      }),
      { numRuns: 2_000, seed: 5 },
    );
  });
});

/** What the range of a request holds, from its definition. */
function holds([key, end]: Range, asked: string): boolean {
  if (end === '') return asked === key;
  return asked >= key && (end === '\0' || asked < end);
}
