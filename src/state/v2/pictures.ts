import { limits } from '../../config.ts';
import { assert } from '../../lib/assert.ts';
import { compareBytes, concatBytes, EMPTY_BYTES } from '../../lib/bytes.ts';
import { ALL_KEYS, keyAfter, prefixRange } from '../key_range.ts';
import type { OverlayTable } from '../overlay_table.ts';
import type { KeyRange, Row, StateStore, TableName } from '../store.ts';

/** A first page is small: its rows may be large. */
const FIRST_PAGE_ROWS = 16;

/** In the rows that are kept: whether there was one, before what it was. */
const ABSENT = Uint8Array.of(0);
const PRESENT = 1;

interface Open {
  readonly number: number;
  /** Rows up to this key have been read. */
  readUpTo: Uint8Array | null;
}

/** All rows of the table as they were. */
export interface Picture {
  rows(): Generator<readonly [TableName, Row]>;
  close(): void;
}

/**
 * Pictures of the table v2, which may be larger than the memory and keeps no old versions. While
 * one is read, a page at a time, flushes go on: a row that they change and that is still to be read
 * is put aside first, in a table of its own.
 */
export class Pictures {
  readonly #store: StateStore;
  readonly #open = new Set<Open>();
  #number = 0;

  constructor(store: StateStore) {
    this.#store = store;
  }

  /** A picture of the rows as they are now: everything has been flushed. */
  open(): Picture {
    // What an instance before this one has put aside is of no use.
    this.#forgetKept();
    const picture: Open = { number: ++this.#number, readUpTo: null };
    this.#open.add(picture);
    return {
      rows: () => this.#rows(picture),
      close: () => {
        this.#open.delete(picture);
        this.#forgetKept();
      },
    };
  }

  /** Puts aside what a flush of the table is about to change. */
  keep(table: OverlayTable<Uint8Array>): void {
    if (this.#open.size === 0) return;
    for (const key of table.dirtyKeys()) {
      for (const picture of this.#open) this.#keepRow(picture, key);
    }
  }

  #forgetKept(): void {
    if (this.#open.size > 0 || this.#store.scan('v2_kept', ALL_KEYS, 1).length === 0) return;
    this.#store.clear('v2_kept');
  }

  #keepRow({ number, readUpTo }: Open, key: Uint8Array): void {
    if (readUpTo !== null && compareBytes(key, readUpTo) <= 0) return;
    const name = keptKey(number, key);
    if (this.#store.get('v2_kept', name) !== null) return;
    const row = this.#store.get('v2', key);
    const value = row === null ? ABSENT : concatBytes([Uint8Array.of(PRESENT), row]);
    this.#store.put('v2_kept', [{ key: name, value }]);
  }

  *#rows(picture: Open): Generator<readonly [TableName, Row]> {
    const prefix = keptKey(picture.number, EMPTY_BYTES);
    let pageRows = Math.min(FIRST_PAGE_ROWS, limits.scanPageRowsMax);
    for (;;) {
      const { readUpTo } = picture;
      const start = readUpTo === null ? EMPTY_BYTES : keyAfter(readUpTo);
      const now = this.#store.scan('v2', { start, end: null }, pageRows);
      const range: KeyRange = { start: concatBytes([prefix, start]), end: prefixRange(prefix).end };
      const kept = this.#store.scan('v2_kept', range, pageRows).map(({ key, value }) => {
        return { key: key.slice(prefix.length), value };
      });
      const ends = [now, kept].flatMap((page) => (page.length < pageRows ? [] : page.slice(-1)));
      const last = ends.map(({ key }) => key).sort(compareBytes)[0] ?? null;
      const rows = merged(now, kept).filter(
        ({ key }) => last === null || compareBytes(key, last) <= 0,
      );
      if (last !== null) picture.readUpTo = last;
      else assert(this.#open.delete(picture), 'a picture is read after it was closed');
      for (const row of rows) yield ['v2', row];
      if (last === null) return;
      pageRows = nextPageRows([...now, ...kept], pageRows);
    }
  }
}

/** The rows as they were: what is kept counts, where something is. */
function merged(now: readonly Row[], kept: readonly Row[]): Row[] {
  const rows: Row[] = [];
  let at = 0;
  for (const row of now) {
    for (; at < kept.length; at++) {
      const old = kept[at];
      if (old === undefined || compareBytes(old.key, row.key) >= 0) break;
      addOld(rows, old);
    }
    const old = kept[at];
    if (old !== undefined && compareBytes(old.key, row.key) === 0) {
      addOld(rows, old);
      at++;
    } else rows.push(row);
  }
  for (const old of kept.slice(at)) addOld(rows, old);
  return rows;
}

function addOld(rows: Row[], { key, value }: Row): void {
  if (value[0] === PRESENT) rows.push({ key, value: value.slice(1) });
}

/** As many as fit in the bytes that a page may have, by those that were just read. */
function nextPageRows(page: readonly Row[], pageRows: number): number {
  let bytes = 0;
  for (const { key, value } of page) bytes += key.length + value.length;
  const fitting = Math.floor((limits.scanPageBytes * page.length) / Math.max(bytes, 1));
  return Math.max(1, Math.min(4 * pageRows, fitting, limits.scanPageRowsMax));
}

function keptKey(number: number, key: Uint8Array): Uint8Array {
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, number);
  return concatBytes([head, key]);
}
