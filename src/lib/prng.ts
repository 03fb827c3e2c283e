import { assert } from './assert.ts';

/** A source of randomness that is passed in, so that a seed replays a run. */
export interface Prng {
  /** A number in [0, 1). */
  next(): number;
}

/** sfc32: small, fast, passes PractRand; not for secrets. */
export function seededPrng(seed: number): Prng {
  let a = seed | 0;
  let b = (seed / 2 ** 32) | 0;
  let c = 0x9e3779b9 | 0;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 12; i++) next();
  return { next };
}

/** An integer in [low, high]. */
export function intBetween(prng: Prng, low: number, high: number): number {
  assert(low <= high, `empty interval [${low}, ${high}]`);
  return low + Math.floor(prng.next() * (high - low + 1));
}
