import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_BYTES, utf8 } from '../../src/lib/bytes.ts';
import { MemoryStateStore } from '../../src/state/memory_store.ts';
import { type KeyRange, type Row, type StateStore, TABLES } from '../../src/state/store.ts';
import { inScratch, type Scratch } from './scratch.ts';

const ALL: KeyRange = { start: EMPTY_BYTES, end: null };

/** Few bytes, so that keys meet and are prefixes of others; 0 and 255 end the order. */
const key = fc
  .array(fc.constantFrom(0, 1, 97, 255), { maxLength: 4 })
  .map((list) => Uint8Array.from(list));
const row: fc.Arbitrary<Row> = fc.record({ key, value: fc.uint8Array({ maxLength: 6 }) });
const rows = fc.oneof(
  fc.array(row, { maxLength: 4 }),
  // Around the number of rows that go into one statement.
  fc.array(row, { minLength: 48, maxLength: 120, size: 'max' }),
);
const table = fc.constantFrom(...TABLES.slice(0, 3));
const range: fc.Arbitrary<KeyRange> = fc.record({
  start: key,
  end: fc.oneof(key, fc.constant(null)),
});

/** One operation, to be done to both stores; what it answers must be equal. */
type Operation = (store: StateStore) => unknown;

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.tuple(table, key).map(
    ([t, k]): Operation =>
      (store) =>
        store.get(t, k),
  ),
  fc.tuple(table, range, fc.integer({ min: 0, max: 9 }), fc.boolean()).map(
    ([t, r, limit, reverse]): Operation =>
      (store) =>
        store.scan(t, r, limit, reverse),
  ),
  fc.tuple(table, range).map(
    ([t, r]): Operation =>
      (store) =>
        store.count(t, r),
  ),
  {
    weight: 3,
    arbitrary: fc.tuple(table, rows).map(
      ([t, r]): Operation =>
        (store) =>
          store.put(t, r),
    ),
  },
  fc.tuple(table, fc.array(key, { maxLength: 5 })).map(
    ([t, keys]): Operation =>
      (store) =>
        store.delete(t, keys),
  ),
  table.map(
    (t): Operation =>
      (store) =>
        store.clear(t),
  ),
  {
    weight: 2,
    arbitrary: fc.tuple(table, rows).map(
      ([t, r]): Operation =>
        (store) =>
          store.stagePut(t, r),
    ),
  },
  fc.constant((store: StateStore) => store.stageClear()),
  fc.constant((store: StateStore) => store.stageInstall()),
);

/** Everything in a store, as text that is quick to compare. */
function contents(store: StateStore): string {
  const parts = TABLES.map((name) => {
    const found = store.scan(name, ALL, 1_000);
    return `${name} ${store.count(name, ALL)}: ${found.map((each) => `${each.key}=${each.value}`).join(' ')}`;
  });
  return parts.join('\n');
}

function live(scratch: Scratch, operations: readonly Operation[]): void {
  let sqlite = scratch.store();
  for (const name of TABLES) sqlite.clear(name);
  sqlite.stageClear();
  const memory = new MemoryStateStore();
  operations.forEach((each, at) => {
    expect(each(sqlite)).toEqual(each(memory));
    // A new instance knows nothing but the rows, and drops what was staged: nobody continues that.
    if (at % 5 !== 4) return;
    sqlite = scratch.store();
    memory.stageClear();
  });
  expect(contents(sqlite)).toBe(contents(memory));
  expect(contents(scratch.store())).toBe(contents(memory));
}

describe('the tables in SQLite', () => {
  it('behave as those in memory', () =>
    inScratch('store-model', (scratch) => {
      fc.assert(
        fc.property(fc.array(operation, { maxLength: 30 }), (list) => live(scratch, list)),
        { numRuns: 100 },
      );
    }));

  it('keep keys in the order of unsigned bytes', () =>
    inScratch('store-order', (scratch) => {
      const store = scratch.store();
      const keys = [[255, 255], [255], [128], [127, 255], [127], [1], [0, 0], [0], []];
      store.put(
        'kv',
        keys.map((list) => ({ key: Uint8Array.from(list), value: EMPTY_BYTES })),
      );
      const down = store.scan('kv', ALL, 99, true).map((each) => [...each.key]);
      expect(down).toEqual(keys);
    }));

  it('hold a row as large as the largest value', () =>
    inScratch('store-large', (scratch) => {
      const store = scratch.store();
      const value = new Uint8Array(1_900_000).fill(7);
      store.put('kv', [{ key: utf8('k'), value }]);
      expect(store.get('kv', utf8('k'))?.length).toBe(value.length);
    }));

  it('give bytes that the caller may keep and change', () =>
    inScratch('store-own', (scratch) => {
      const store = scratch.store();
      store.put('kv', [{ key: utf8('k'), value: utf8('v') }]);
      store.get('kv', utf8('k'))?.fill(0);
      expect(store.get('kv', utf8('k'))).toEqual(utf8('v'));
    }));
});

describe('the rows that are charged', () => {
  const many = (count: number): Row[] =>
    Array.from({ length: count }, (_, i) => ({ key: utf8(`k${i}`), value: utf8('v') }));

  it.each([0, 1, 49, 50, 51, 120])('are one for each of %d rows put, new or replaced', (count) =>
    inScratch(`store-cost-${count}`, (scratch) => {
      const store = scratch.store();
      for (let round = 0; round < 2; round++) {
        expect(scratch.rowsWritten(() => store.put('kv', many(count)))).toBe(count);
      }
    }),
  );

  it('are one for each row deleted, and none for one that is not there', () =>
    inScratch('store-cost-delete', (scratch) => {
      const store = scratch.store();
      store.put('kv', many(3));
      const keys = [utf8('k0'), utf8('k2'), utf8('none')];
      expect(scratch.rowsWritten(() => store.delete('kv', keys))).toBe(2);
    }));

  it('are the same few for emptying a table or installing a snapshot, however large they are', () =>
    inScratch('store-cost-drop', (scratch) => {
      const store = scratch.store();
      const clear = () => scratch.rowsWritten(() => store.clear('kv'));
      const install = () => {
        store.stageClear();
        store.stagePut('kv', many(500));
        return scratch.rowsWritten(() => store.stageInstall());
      };
      const empty = clear();
      store.put('kv', many(500));
      expect(clear()).toBe(empty);
      const first = install();
      expect(install()).toBe(first);
      expect(first).toBeLessThan(3 * TABLES.length);
    }));
});

describe('staging', () => {
  it('leaves no tables behind', () =>
    inScratch('store-stage', (scratch) => {
      const store = scratch.store();
      const count = TABLES.length;
      expect(scratch.tables('state_')).toHaveLength(count);
      for (let i = 0; i < 3; i++) {
        store.stageClear();
        store.stagePut('kv', [{ key: utf8('k'), value: utf8(`${i}`) }]);
        store.stageInstall();
      }
      expect(scratch.tables('state_')).toHaveLength(count);
      expect(scratch.store().get('kv', utf8('k'))).toEqual(utf8('2'));
    }));

  it('that an instance left half done is cleared by the next', () =>
    inScratch('store-stage-left', (scratch) => {
      const first = scratch.store();
      first.stageClear();
      first.stagePut('kv', [{ key: utf8('old'), value: utf8('1') }]);
      const next = scratch.store();
      expect(next.get('kv', utf8('old'))).toBeNull();
      next.stageClear();
      next.stagePut('kv', [{ key: utf8('new'), value: utf8('2') }]);
      next.stageInstall();
      expect(next.scan('kv', ALL, 9)).toEqual([{ key: utf8('new'), value: utf8('2') }]);
    }));
});
