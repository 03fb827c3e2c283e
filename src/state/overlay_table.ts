import { limits } from '../config.ts';
import { assert } from '../lib/assert.ts';
import { bytesOfMapKey, mapKey } from '../lib/bytes.ts';
import type { Cache } from './cache.ts';
import type { Journal } from './journal.ts';
import { isEmptyRange, keyAfter } from './key_range.ts';
import { lowerBound } from './sorted.ts';
import type { KeyRange, Row, StateStore, TableName } from './store.ts';

/** How the rows of a table are written. */
export interface RowCodec<T> {
  encode(value: T): Uint8Array;
  decode(key: Uint8Array, row: Uint8Array): T;
  /** Bytes of memory, about. */
  sizeOf(value: T): number;
}

export interface TableEntry<T> {
  readonly key: Uint8Array;
  readonly value: T;
}

/** Rows may be large: a scan begins with few, and takes more when they turn out to be small. */
const FIRST_PAGE_ROWS = 16;

interface Dirty<T> {
  /** Null: deleted. */
  readonly value: T | null;
  /** Whether the store has a row of this key. */
  readonly stored: boolean;
}

/**
 * A table of the store with the changes since the last flush in memory above it. Reads see both;
 * `flush` writes each changed key once, however often it changed.
 */
export class OverlayTable<T> {
  readonly #store: StateStore;
  readonly #table: TableName;
  readonly #codec: RowCodec<T>;
  readonly #journal: Journal;
  readonly #dirty = new Map<string, Dirty<T>>();
  /** The dirty keys in order; null until a scan asks for it. */
  #order: string[] | null = null;
  readonly #cache: Cache<T> | null;
  #bytes = 0;

  constructor(
    store: StateStore,
    table: TableName,
    codec: RowCodec<T>,
    journal: Journal,
    cache: Cache<T> | null = null,
  ) {
    this.#store = store;
    this.#table = table;
    this.#codec = codec;
    this.#journal = journal;
    this.#cache = cache;
  }

  get name(): TableName {
    return this.#table;
  }

  /** Memory held by changes that are not flushed. */
  get dirtyBytes(): number {
    return this.#bytes;
  }

  get dirtyCount(): number {
    return this.#dirty.size;
  }

  /** The keys that the next flush writes or deletes. */
  dirtyKeys(): Uint8Array[] {
    return [...this.#dirty.keys()].map(bytesOfMapKey);
  }

  get(key: Uint8Array, name = mapKey(key)): T | null {
    const dirty = this.#dirty.get(name);
    if (dirty !== undefined) return dirty.value;
    const cached = this.#cache?.get(name);
    if (cached !== undefined) return cached;
    const row = this.#store.get(this.#table, key);
    if (row === null) return null;
    const value = this.#codec.decode(key, row);
    this.#cache?.set(name, value, this.#codec.sizeOf(value) + key.length);
    return value;
  }

  /**
   * @param before what `get` returns for the key now: it tells whether a row will have to be
   * deleted.
   */
  set(key: Uint8Array, value: T | null, before: T | null, name = mapKey(key)): void {
    const old = this.#dirty.get(name);
    const stored = old ? old.stored : before !== null;
    this.#journal.note(() => this.#restore(name, old));
    if (old === undefined) this.#noteOrder(name);
    else this.#bytes -= this.#sizeOf(name, old);
    const dirty = { value, stored };
    this.#dirty.set(name, dirty);
    this.#bytes += this.#sizeOf(name, dirty);
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
      yield { key, value: this.#codec.encode(value) };
    }
  }

  /** The number of entries in the range, without reading them. */
  count(range: KeyRange): number {
    if (isEmptyRange(range)) return 0;
    let count = this.#store.count(this.#table, range);
    for (const name of this.#dirtyNames(range, false)) {
      const dirty = this.#dirty.get(name);
      if (dirty === undefined) continue;
      count += (dirty.value === null ? 0 : 1) - (dirty.stored ? 1 : 0);
    }
    return count;
  }

  /** Writes every change: one row put for each live key, one deleted for each that is gone. */
  flush(): void {
    if (this.#dirty.size === 0) return;
    assert(this.#journal.length === 0, 'flush inside a command');
    const rows: Row[] = [];
    const gone: Uint8Array[] = [];
    for (const [name, { value, stored }] of this.#dirty) {
      const key = bytesOfMapKey(name);
      this.#cache?.delete(name);
      if (value !== null) {
        rows.push({ key, value: this.#codec.encode(value) });
        this.#cache?.set(name, value, this.#codec.sizeOf(value) + key.length);
      } else if (stored) gone.push(key);
    }
    if (rows.length > 0) this.#store.put(this.#table, rows);
    if (gone.length > 0) this.#store.delete(this.#table, gone);
    this.#dirty.clear();
    this.#order = null;
    this.#bytes = 0;
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
    const value = this.#dirty.get(name)?.value ?? null;
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
    if (this.#dirty.size === 0) return [];
    this.#order ??= [...this.#dirty.keys()].sort((a, b) => (a < b ? -1 : 1));
    const from = lowerBound(this.#order, mapKey(start));
    const to = end === null ? this.#order.length : lowerBound(this.#order, mapKey(end));
    const names = this.#order.slice(from, Math.max(from, to));
    return reverse ? names.reverse() : names;
  }

  #noteOrder(name: string): void {
    if (this.#order === null) return;
    this.#order.splice(lowerBound(this.#order, name), 0, name);
  }

  #restore(name: string, old: Dirty<T> | undefined): void {
    const now = this.#dirty.get(name);
    if (now !== undefined) this.#bytes -= this.#sizeOf(name, now);
    if (old === undefined) {
      this.#dirty.delete(name);
      this.#order = null;
    } else {
      this.#dirty.set(name, old);
      this.#bytes += this.#sizeOf(name, old);
    }
  }

  #sizeOf(name: string, { value }: Dirty<T>): number {
    return 32 + name.length + (value === null ? 0 : this.#codec.sizeOf(value));
  }
}
