import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { END_OF_KEYS } from './interval_tree.ts';
import { KeyIndex, type Watched } from './key_index.ts';

const key = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 3 });
const watched: fc.Arbitrary<Watched> = fc.record({
  key,
  end: fc.oneof(fc.constant(null), fc.constant(END_OF_KEYS), key),
});

function contains({ key: start, end }: Watched, point: string): boolean {
  return end === null ? point === start : start <= point && point < end;
}

function found(index: KeyIndex<Watched>, point: string): Set<Watched> {
  const watchers: Watched[] = [];
  index.visit(point, (watcher) => watchers.push(watcher));
  const set = new Set(watchers);
  expect(watchers.length).toBe(set.size);
  return set;
}

describe('the index of watchers', () => {
  it('finds those of a key, whatever comes and goes', () => {
    const step = fc.oneof(watched, fc.nat(30));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const index = new KeyIndex<Watched>();
        const all: Watched[] = [];
        for (const each of steps) {
          if (typeof each !== 'number') {
            const watcher = { ...each };
            all.push(watcher);
            index.add(watcher);
          } else for (const gone of all.splice(each % (all.length + 1), 1)) index.delete(gone);
          expect(index.size).toBe(all.length);
        }
        for (const point of ['', 'a', 'ab', 'abc', 'b', 'ba', 'c', 'cc', 'd']) {
          const wanted = all.filter((watcher) => contains(watcher, point));
          expect(found(index, point)).toEqual(new Set(wanted));
        }
      }),
      { numRuns: 300, seed: 20_261_121 },
    );
  });

  it('does not look at the others', () => {
    const index = new KeyIndex<Watched>();
    let looks = 0;
    const seen = (text: string) => ({
      [Symbol.toPrimitive]: () => {
        looks++;
        return text;
      },
    });
    // Ranges side by side: in an order that would make a tree without balance a list.
    for (let i = 0; i < 4_096; i++) {
      const name = (n: number) => seen(String(n).padStart(5, '0')) as unknown as string;
      index.add({ key: name(2 * i), end: name(2 * i + 1) });
    }
    looks = 0;
    index.visit('03000', () => {});
    // The height of an AVL tree is at most 1.44 log2(n), and a node is looked at in three places.
    expect(looks).toBeLessThan(3 * 1.44 * 12 + 6);
  });
});
