import { describe, expect, it } from 'vitest';
import { InvariantError } from './assert.ts';
import { intBetween, type Prng, seededPrng } from './prng.ts';

const draw = (prng: Prng, count: number) => Array.from({ length: count }, () => prng.next());

describe('seeded randomness', () => {
  it('repeats itself for a seed and differs between seeds', () => {
    expect(draw(seededPrng(7), 50)).toEqual(draw(seededPrng(7), 50));
    const seeds = [0, 1, 7, 2 ** 32, 2 ** 32 + 1, 2 ** 40];
    const firsts = seeds.map((seed) => seededPrng(seed).next());
    expect(new Set(firsts).size).toBe(seeds.length);
  });

  it('is spread evenly over [0, 1)', () => {
    const buckets = Array<number>(16).fill(0);
    for (const value of draw(seededPrng(1), 16_000)) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThan(1);
      const at = Math.floor(value * 16);
      buckets[at] = (buckets[at] ?? 0) + 1;
    }
    // Sixteen buckets of a thousand: five standard deviations are 153.
    for (const count of buckets) expect(Math.abs(count - 1_000)).toBeLessThan(153);
  });
});

describe('an integer between', () => {
  it('takes both ends and everything between, and nothing else', () => {
    const prng = seededPrng(3);
    const seen = new Set(Array.from({ length: 500 }, () => intBetween(prng, -2, 3)));
    expect([...seen].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2, 3]);
    expect(intBetween(prng, 5, 5)).toBe(5);
  });

  it('never exceeds the end for the largest draw', () => {
    expect(intBetween({ next: () => 1 - 2 ** -32 }, 0, 2 ** 32 - 1)).toBe(2 ** 32 - 1);
  });

  it('needs an interval', () => {
    expect(() => intBetween(seededPrng(1), 2, 1)).toThrow(InvariantError);
  });
});
