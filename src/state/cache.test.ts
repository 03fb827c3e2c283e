import { describe, expect, it } from 'vitest';
import { Cache } from './cache.ts';

describe('a cache', () => {
  it('forgets what was not used for longest', () => {
    const cache = new Cache<number>(2, 100);
    cache.set('a', 1, 10);
    cache.set('b', 2, 10);
    expect(cache.get('a')).toBe(1);
    cache.set('c', 3, 10);
    expect([...cache]).toEqual([
      ['a', 1],
      ['c', 3],
    ]);
    expect([cache.size, cache.bytes]).toEqual([2, 20]);
  });

  it('is bounded in bytes, and does not take what is too large by itself', () => {
    const cache = new Cache<number>(10, 100);
    cache.set('a', 1, 60);
    cache.set('b', 2, 60);
    expect(cache.get('a')).toBeUndefined();
    cache.set('huge', 3, 101);
    expect([cache.size, cache.bytes]).toEqual([1, 60]);
    cache.set('b', 4, 10);
    cache.delete('none');
    expect([cache.get('b'), cache.bytes]).toEqual([4, 10]);
    cache.clear();
    expect([cache.size, cache.bytes]).toEqual([0, 0]);
  });
});
