import { limits } from '../config.ts';
import { assert, must } from '../lib/assert.ts';
import { BinaryWriter } from '../lib/binary.ts';
import { bytesOfMapKey, mapKey, ownBytes } from '../lib/bytes.ts';
import { Doorkeeper } from './doorkeeper.ts';
import type { Journal } from './journal.ts';
import { isEmptyRange, keyAfter } from './key_range.ts';
import type { RowCodec } from './row_codec.ts';
import { type Slot, type SlotLimits, Slots, UNHELD } from './slots.ts';
import { lowerBound } from './sorted.ts';
import type { KeyRange, Row, StateStore, TableName } from './store.ts';

export interface TableEntry<T> {
  readonly key: Uint8Array;
  readonly value: T;
}

/** Rows may be large: a scan begins with few, and takes more when they turn out to be small. */
const FIRST_PAGE_ROWS = 16;

/**
 * A table of the store with the changes since the last flush in memory above it. Reads see both;
 * `flush` writes each changed key once, however often it changed.
 */
export class OverlayTable<T> {
  readonly #store: StateStore;
  readonly #table: TableName;
  readonly #codec: RowCodec<T>;
  readonly #journal: Journal;
  readonly #slots: Slots<T>;
  /** Null: nothing is remembered. */
  readonly #doorkeeper: Doorkeeper | null;
  /** In the order in which they became so. */
  #dirty: Slot<T>[] = [];
  /** The names of dirty slots in order; null until a scan asks for it. */
  #order: string[] | null = null;
  #bytes = 0;

  /** @param remembered how much to keep of what was read and written; null: nothing */
  constructor(
    store: StateStore,
    table: TableName,
    codec: RowCodec<T>,
    journal: Journal,
    remembered: SlotLimits | null = null,
  ) {
    this.#store = store;
    this.#table = table;
    this.#codec = codec;
    this.#journal = journal;
    this.#slots = new Slots(codec, remembered);
    this.#doorkeeper = remembered === null ? null : new Doorkeeper(remembered.entriesMax);
  }

  get name(): TableName {
    return this.#table;
  }

  /** Memory held by changes that are not flushed. */
  get dirtyBytes(): number {
    return this.#bytes;
  }

  get dirtyCount(): number {
    return this.#dirty.length;
  }

  /** The keys that the next flush writes or deletes. */
  dirtyKeys(): Uint8Array[] {
    return this.#dirty.map(({ name }) => bytesOfMapKey(name));
  }

  get(key: Uint8Array, name = mapKey(key)): T | null {
    return (this.#slots.use(name) ?? this.load(key, name)).value;
  }

  /** What memory has of the key, for somebody who will {@link replace} it at once. */
  held(name: string): Slot<T> | undefined {
    return this.#slots.find(name);
  }

  /** The same for a key that is not held, and of which the store has a row that nobody has read. */
  unread(name: string): Slot<T> {
    return newSlot<T>(name, null, true);
  }

  /** The same: what the store has of it. */
  load(key: Uint8Array, name: string): Slot<T> {
    const row = this.#store.get(this.#table, key);
    const slot = newSlot(name, row === null ? null : this.#codec.decode(ownBytes(key), row));
    if (this.#doorkeeper?.knows(key)) this.#slots.remember(slot);
    return slot;
  }

  /**
   * @param before what `get` returns for the key now: it tells whether a row will have to be
   * deleted.
   */
  set(key: Uint8Array, value: T | null, before: T | null, name = mapKey(key)): void {
    this.replace(this.#slots.find(name) ?? newSlot(name, before), value);
  }

  /** The same for a slot just asked for: nothing else of the table was, in between. */
  replace(slot: Slot<T>, value: T | null): void {
    const { value: old, dirty: wasDirty } = slot;
    const isNew = slot.generation === UNHELD;
    this.#journal.note(() => {
      this.#bytes -= this.#slots.sizeOf(slot);
      slot.value = old;
      if (wasDirty) this.#bytes += this.#slots.sizeOf(slot);
      else this.#undirty(slot);
      if (isNew) this.#slots.forget(slot);
    });
    if (wasDirty) this.#bytes -= this.#slots.sizeOf(slot);
    else this.#makeDirty(slot);
    slot.value = value;
    const size = this.#slots.sizeOf(slot);
    this.#bytes += size;
    this.#slots.takeIn(size);
  }

  /**
   * The values of the range in key order, read in bounded pages. The table must not change
   * meanwhile.
   * @param wanted about how many the reader will take
   */
  *scan(range: KeyRange, reverse = false, wanted = Number.POSITIVE_INFINITY): Generator<T> {
    for (const page of this.#pages(range, reverse, wanted)) {
      for (const { value } of page) yield value;
    }
  }

  /** The same with keys. */
  *entries(range: KeyRange): Generator<TableEntry<T>> {
    for (const page of this.#pages(range, false, Number.POSITIVE_INFINITY)) yield* page;
  }

  /** The rows of the range, as they will be in the store. */
  *rows(range: KeyRange): Generator<Row> {
    for (const { key, value } of this.entries(range)) {
      const writer = new BinaryWriter(this.#codec.sizeOf(value));
      this.#codec.write(writer, value);
      yield { key, value: writer.finish() };
    }
  }

  /** The number of entries in the range, without reading them. */
  count(range: KeyRange): number {
    if (isEmptyRange(range)) return 0;
    let count = this.#store.count(this.#table, range);
    for (const name of this.#dirtyNames(range, false)) {
      const slot = must(this.#slots.find(name), 'dirty slots are not forgotten');
      count += (slot.value === null ? 0 : 1) - (slot.stored ? 1 : 0);
    }
    return count;
  }

  /** Writes every change: one row put for each live key, one deleted for each that is gone. */
  flush(): void {
    if (this.#dirty.length === 0) return;
    assert(this.#journal.length === 0, 'flush inside a command');
    const rows: Row[] = [];
    const gone: Uint8Array[] = [];
    // One buffer for all rows: hundreds of small ones cost more than what is written to them.
    const writer = new BinaryWriter(this.#bytes);
    // So that neighbours in a page come one after the other, before the page is put out again.
    this.#dirty.sort(byName);
    for (const slot of this.#dirty) {
      const { name, value, stored } = slot;
      if (value !== null) rows.push(this.#writeRow(writer, name, value));
      else if (stored) gone.push(bytesOfMapKey(name));
      slot.stored = value !== null;
      slot.dirty = false;
    }
    if (rows.length > 0) this.#store.put(this.#table, rows);
    if (gone.length > 0) this.#store.delete(this.#table, gone);
    this.#slots.flushed();
    this.#dirty = [];
    this.#order = null;
    this.#bytes = 0;
  }

  #writeRow(writer: BinaryWriter, name: string, value: T): Row {
    const start = writer.length;
    writer.mapKey(name);
    const middle = writer.length;
    this.#codec.write(writer, value);
    const { buffer, length } = writer;
    return { key: buffer.subarray(start, middle), value: buffer.subarray(middle, length) };
  }

  /** Rows of the store page by page, with what is changed put in their place and between them. */
  *#pages(range: KeyRange, reverse: boolean, wanted: number): Generator<TableEntry<T>[]> {
    if (isEmptyRange(range)) return;
    const names = this.#dirtyNames(range, reverse);
    let at = 0;
    for (const rows of this.#storedPages(range, reverse, wanted)) {
      const page: TableEntry<T>[] = [];
      for (const { key, value } of rows) {
        const rowName = at < names.length ? mapKey(key) : '';
        let name = names[at];
        while (name !== undefined && (reverse ? name > rowName : name < rowName)) {
          this.#pushDirty(page, name);
          name = names[++at];
        }
        if (name === rowName) continue;
        page.push({ key, value: this.#codec.decode(key, value) });
      }
      yield page;
    }
    const rest: TableEntry<T>[] = [];
    for (const name of names.slice(at)) this.#pushDirty(rest, name);
    yield rest;
  }

  #pushDirty(page: TableEntry<T>[], name: string): void {
    const value = this.#slots.find(name)?.value ?? null;
    if (value !== null) page.push({ key: bytesOfMapKey(name), value });
  }

  /** Pages grow while rows are small. */
  *#storedPages(range: KeyRange, reverse: boolean, wanted: number): Generator<Row[]> {
    let { start, end } = range;
    let pageRows = Math.min(FIRST_PAGE_ROWS, limits.scanPageRowsMax);
    let left = wanted;
    for (;;) {
      const page = this.#store.scan(this.#table, { start, end }, pageRows, reverse);
      yield page;
      const last = page.at(-1);
      if (last === undefined || page.length < pageRows) return;
      if (reverse) end = last.key;
      else start = keyAfter(last.key);
      let bytes = 0;
      for (const { key, value } of page) bytes += key.length + value.length;
      const fitting = Math.floor((limits.scanPageBytes * page.length) / Math.max(bytes, 1));
      left = Math.max(left - page.length, FIRST_PAGE_ROWS);
      pageRows = Math.max(1, Math.min(pageRows * 4, fitting, left, limits.scanPageRowsMax));
    }
  }

  #dirtyNames({ start, end }: KeyRange, reverse: boolean): string[] {
    if (this.#dirty.length === 0) return [];
    this.#order ??= this.#dirty.map(({ name }) => name).sort((a, b) => (a < b ? -1 : 1));
    const from = lowerBound(this.#order, mapKey(start));
    const to = end === null ? this.#order.length : lowerBound(this.#order, mapKey(end));
    const names = this.#order.slice(from, Math.max(from, to));
    return reverse ? names.reverse() : names;
  }

  #makeDirty(slot: Slot<T>): void {
    slot.dirty = true;
    this.#slots.hold(slot);
    this.#dirty.push(slot);
    this.#order?.splice(lowerBound(this.#order, slot.name), 0, slot.name);
  }

  /** It became dirty last: changes are taken back in the reverse of their order. */
  #undirty(slot: Slot<T>): void {
    assert(this.#dirty.pop() === slot, 'a change is taken back out of order');
    slot.dirty = false;
    this.#order = null;
  }
}

function newSlot<T>(name: string, value: T | null, stored = value !== null): Slot<T> {
  return { name, value, stored, dirty: false, generation: UNHELD };
}

function byName(a: Slot<unknown>, b: Slot<unknown>): number {
  return a.name < b.name ? -1 : 1;
}
