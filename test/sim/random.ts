import { must } from '../../src/lib/assert.ts';
import { intBetween, type Prng } from '../../src/lib/prng.ts';

/** True with the given probability. */
export function chance(prng: Prng, probability: number): boolean {
  return probability > 0 && prng.next() < probability;
}

/** One of the items, evenly. */
export function pick<T>(prng: Prng, items: readonly T[]): T {
  return must(items[intBetween(prng, 0, items.length - 1)], 'pick from nothing');
}

/** One of the items, by weight. */
export function pickWeighted<T>(prng: Prng, weights: readonly (readonly [T, number])[]): T {
  let total = 0;
  for (const [, weight] of weights) total += weight;
  let point = prng.next() * total;
  for (const [item, weight] of weights) {
    point -= weight;
    if (point < 0) return item;
  }
  return must(weights[weights.length - 1], 'pick from nothing')[0];
}

/** Exponentially distributed with this mean, so that short and long are both seen. */
export function exponential(prng: Prng, mean: number): number {
  return -Math.log(1 - prng.next()) * mean;
}

export function shuffled<T>(prng: Prng, items: readonly T[]): T[] {
  const rest = [...items];
  const result: T[] = [];
  while (rest.length > 0) result.push(...rest.splice(intBetween(prng, 0, rest.length - 1), 1));
  return result;
}
