import { describe, expect, it } from 'vitest';
import { utf8 } from '../lib/bytes.ts';
import { crc32c } from '../lib/crc32c.ts';
import { Chain, isComparable, NO_CHAIN } from './chain.ts';
import type { Outcome } from './parts.ts';
import { put, Single } from './testing/single.ts';

const outcome = (text: string): Outcome => ({
  response: {},
  error: null,
  changes: [
    {
      version: { checksum: (seed: number) => crc32c(utf8(text), seed) },
    } as Outcome['changes'][number],
  ],
  v2: null,
});

describe('the chain of outcomes', () => {
  it('is the same for the same outcomes, and another for others', () => {
    const run = (texts: readonly string[]) => {
      const chain = new Chain(NO_CHAIN, 0);
      for (const [i, text] of texts.entries()) {
        chain.next(i + 1);
        chain.extend(i + 2, 1, outcome(text));
      }
      return chain.sum.value;
    };
    expect(run(['a', 'b'])).toBe(run(['a', 'b']));
    const all = [['a'], ['a', 'b'], ['b', 'a'], ['a', 'c'], ['ab']].map(run);
    expect(new Set(all).size).toBe(all.length);
  });

  it('is remembered for recent indices, and not beyond', () => {
    const chain = new Chain({ ...NO_CHAIN, value: 7 }, 100, 8);
    const seen = new Map([[100, 7]]);
    for (let index = 101; index <= 120; index++) {
      chain.next(index);
      // Every third entry is empty and leaves it as it was.
      if (index % 3 > 0) chain.extend(index, 1, outcome(String(index)));
      seen.set(index, chain.sum.value);
      for (let at = 95; at <= index + 1; at++) {
        const known = at >= Math.max(100, index - 8) && at <= index;
        expect(chain.at(at)?.value, `${at} at ${index}`).toBe(known ? seen.get(at) : undefined);
      }
    }
  });

  it('is one for two machines at the same index, whatever they applied since', () => {
    const [one, other] = [new Single(), new Single()];
    for (const member of [one, other]) member.put('a', '1');
    const index = one.machine.appliedIndex;
    one.put('b', '1');
    expect(one.machine.chainAt(index)?.value).toBe(other.machine.chain);
    expect(other.machine.chainAt(index + 1)).toBeNull();
    other.apply({ case: 'put', value: put('c', '1') });
    expect(one.machine.chainAt(index + 1)).not.toEqual(other.machine.chainAt(index + 1));
  });

  it('begins anew, at a place of its own, after a release that summed up otherwise', () => {
    const older = { definition: 0, base: 3, value: 77 };
    const [one, other] = [new Chain(older, 100), new Chain(older, 101)];
    expect(one.sum).toEqual({ ...NO_CHAIN, base: 100 });
    expect(isComparable(one.sum, other.sum)).toBe(false);
    expect(isComparable(one.sum, { ...one.sum, definition: 0 })).toBe(false);
  });

  it('has one base everywhere after the entry that says the version', () => {
    const [one, other] = [new Chain(NO_CHAIN, 0), new Chain({ ...NO_CHAIN, base: 1 }, 1)];
    const next = (chain: Chain, index: number) => {
      chain.next(index);
      chain.extend(index, 1, outcome(String(index)));
    };
    next(one, 1);
    for (const chain of [one, other]) {
      next(chain, 2);
      next(chain, 3);
      chain.rebase();
      next(chain, 4);
      expect(chain.at(2)).toBeNull();
      expect(chain.at(3)).toEqual({ ...NO_CHAIN, base: 3 });
    }
    expect(isComparable(one.sum, other.sum)).toBe(true);
    expect(one.sum).toEqual(other.sum);
  });
});
