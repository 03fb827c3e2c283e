import { describe, expect, it } from 'vitest';
import { textOf, utf8 } from '../lib/bytes.ts';
import { ALL_KEYS } from './key_range.ts';
import { MemoryStateStore } from './memory_store.ts';

const row = (key: string, value: string) => ({ key: utf8(key), value: utf8(value) });

function contents(store: MemoryStateStore, limit = 99, reverse = false): string[] {
  const rows = store.scan('kv', ALL_KEYS, limit, reverse);
  return rows.map(({ key, value }) => `${textOf(key)}${textOf(value)}`);
}

describe('the store in memory', () => {
  it('keeps rows in key order', () => {
    const store = new MemoryStateStore();
    store.put('kv', [row('b', '1'), row('a', '1'), row('c', '1')]);
    store.put('kv', [row('b', '2'), row('d', '1')]);
    store.delete('kv', [utf8('a'), utf8('none')]);
    expect(contents(store)).toEqual(['b2', 'c1', 'd1']);
    expect(contents(store, 2, true)).toEqual(['d1', 'c1']);
    expect(store.count('kv', { start: utf8('b'), end: utf8('d') })).toBe(2);
    expect(store.scan('kv', { start: utf8('c'), end: null }, 1)).toEqual([row('c', '1')]);
    expect(store.get('kv', utf8('a'))).toBeNull();
    expect(store.rowsWritten).toBe(7);
    store.clear('kv');
    expect(contents(store)).toEqual([]);
  });

  it('comes back to its images, however often', () => {
    const store = new MemoryStateStore();
    store.put('kv', [row('a', '1')]);
    const first = store.image();
    store.put('kv', [row('a', '2'), row('b', '1')]);
    store.stagePut('kv', [row('s', '1')]);
    const second = store.image();
    store.stageInstall();
    expect(contents(store)).toEqual(['s1']);
    for (let i = 0; i < 2; i++) {
      store.restore(first);
      expect(contents(store)).toEqual(['a1']);
      store.put('kv', [row('a', '9')]);
      store.restore(second);
      expect(contents(store)).toEqual(['a2', 'b1']);
      store.delete('kv', [utf8('a')]);
    }
    store.stageInstall();
    expect(contents(store)).toEqual(['s1']);
  });
});
