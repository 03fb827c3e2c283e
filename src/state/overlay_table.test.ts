import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BinaryWriter } from '../lib/binary.ts';
import { bytesOfMapKey, textOf, utf8 } from '../lib/bytes.ts';
import { Journal } from './journal.ts';
import { ALL_KEYS } from './key_range.ts';
import { MemoryStateStore } from './memory_store.ts';
import { OverlayTable } from './overlay_table.ts';
import type { KeyRange } from './store.ts';

const TEXT_CODEC = {
  write: (writer: BinaryWriter, value: string) => writer.raw(utf8(value)),
  decode: (_key: Uint8Array, row: Uint8Array) => textOf(row),
  sizeOf: (value: string) => value.length,
};

function newTable() {
  const store = new MemoryStateStore();
  const journal = new Journal();
  const remembered = { entriesMax: 4, bytesMax: 400 };
  return { store, journal, table: new OverlayTable(store, 'kv', TEXT_CODEC, journal, remembered) };
}

const key = fc.constantFrom('', 'a', 'aa', 'b', 'c', 'd', 'e', '\xff');
const step = fc.oneof(
  fc.record({
    do: fc.constant('set' as const),
    key,
    value: fc.option(fc.string({ maxLength: 3 }), { nil: null }),
  }),
  fc.record({ do: fc.constantFrom('flush' as const, 'commit' as const, 'rollback' as const) }),
);
const range: fc.Arbitrary<KeyRange> = fc
  .tuple(key, fc.option(key, { nil: null }))
  .map(([start, end]) => ({
    start: bytesOfMapKey(start),
    end: end === null ? null : bytesOfMapKey(end),
  }));

describe('a table with changes above it', () => {
  it('reads as one ordered map, whatever of it is flushed or taken back', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60, size: 'max' }),
        fc.array(range),
        (steps, ranges) => {
          const { table, journal } = newTable();
          let committed = new Map<string, string>();
          let current = new Map(committed);
          for (const one of steps) {
            if (one.do === 'set') {
              const bytes = bytesOfMapKey(one.key);
              table.set(bytes, one.value, table.get(bytes));
              if (one.value === null) current.delete(one.key);
              else current.set(one.key, one.value);
            } else if (one.do === 'rollback') {
              journal.rollback();
              current = new Map(committed);
            } else {
              journal.commit();
              committed = new Map(current);
              if (one.do === 'flush') table.flush();
            }
            check(table, current, [ALL_KEYS, ...ranges]);
          }
        },
      ),
      { numRuns: 200, seed: 3 },
    );
  });

  it('writes each changed key once, and deletes only rows that are there', () => {
    const { table, journal, store } = newTable();
    for (const value of ['1', '2', '3']) table.set(utf8('a'), value, table.get(utf8('a')));
    table.set(utf8('b'), '1', null);
    table.set(utf8('b'), null, '1');
    journal.commit();
    table.flush();
    expect(store.rowsWritten).toBe(1);
    table.set(utf8('a'), null, '3');
    journal.commit();
    table.flush();
    table.flush();
    expect(store.rowsWritten).toBe(2);
    expect([table.dirtyBytes, table.dirtyCount]).toEqual([0, 0]);
  });

  it('refuses to be flushed inside a command', () => {
    const { table } = newTable();
    table.set(utf8('a'), '1', null);
    expect(() => table.flush()).toThrow('inside a command');
  });
});

function check(
  table: OverlayTable<string>,
  map: ReadonlyMap<string, string>,
  ranges: KeyRange[],
): void {
  const names = [...map.keys()].sort((a, b) => (a < b ? -1 : 1));
  for (const { start, end } of ranges) {
    const [from, to] = [String.fromCharCode(...start), end && String.fromCharCode(...end)];
    const expected = names
      .filter((name) => name >= from && (to === null || name < to))
      .map((name) => map.get(name));
    expect([...table.scan({ start, end })]).toEqual(expected);
    expect([...table.scan({ start, end }, true)]).toEqual(expected.toReversed());
    expect(table.count({ start, end })).toBe(expected.length);
  }
  for (const [name, value] of map) expect(table.get(bytesOfMapKey(name))).toBe(value);
}
