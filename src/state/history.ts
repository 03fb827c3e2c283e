import { limits } from '../config.ts';
import { assert, must } from '../lib/assert.ts';
import { BinaryReader, BinaryWriter } from '../lib/binary.ts';
import { EMPTY_BYTES, mapKey } from '../lib/bytes.ts';
import { Cache } from './cache.ts';
import { HistoryRow } from './history_row.ts';
import { keyAfter } from './key_range.ts';
import type { RecordedVersion } from './recorded_version.ts';
import type { Row, StateStore } from './store.ts';
import {
  comparePlaces,
  decodeRecord,
  type HistoryRecord,
  historyKey,
  type Place,
  placeOf,
  type Version,
} from './version.ts';

/** The records of one row, in order: views on the row. */
export function recordsOf(row: Uint8Array): HistoryRecord[] {
  const reader = new BinaryReader(row);
  const records: HistoryRecord[] = [];
  while (!reader.done) {
    records.push({ revision: reader.varint(), sub: reader.varint(), body: reader.bytes() });
  }
  return records;
}

/** A row that is read here and there: the places of its records, which are decoded one by one. */
class IndexedRow {
  readonly #row: Uint8Array;
  readonly #places: Place[] = [];
  readonly #offsets: number[] = [];

  constructor(row: Uint8Array) {
    this.#row = row;
    const reader = new BinaryReader(row);
    while (!reader.done) {
      this.#offsets.push(reader.offset);
      this.#places.push({ revision: reader.varint(), sub: reader.varint() });
      reader.skip();
    }
  }

  get bytes(): number {
    return this.#row.length + 64 * this.#places.length;
  }

  spans(place: Place): boolean {
    const first = this.#places[0];
    const last = this.#places.at(-1);
    if (first === undefined || last === undefined) return false;
    return comparePlaces(first, place) <= 0 && comparePlaces(last, place) >= 0;
  }

  find(place: Place): Version | null {
    const at = indexOf(this.#places, place, (one) => one);
    const offset = at < 0 ? undefined : this.#offsets[at];
    if (offset === undefined) return null;
    const reader = new BinaryReader(this.#row, offset);
    return decodeRecord({ revision: reader.varint(), sub: reader.varint(), body: reader.bytes() });
  }
}

/**
 * Packs records that follow each other into rows of about limits.historyRowBytes; a big one has its
 * own.
 */
export function packRows(records: readonly HistoryRecord[]): Row[] {
  const rows: Row[] = [];
  let first: HistoryRecord | null = null;
  let writer = new BinaryWriter();
  const close = () => {
    if (first === null) return;
    assert(writer.length <= limits.rowBytesMax, `history row of ${writer.length} bytes`);
    rows.push({ key: historyKey(first), value: writer.finish() });
  };
  let left = 0;
  for (const { body } of records) left += body.length + 24;
  for (const record of records) {
    if (first === null || writer.length + record.body.length > limits.historyRowBytes) {
      close();
      first = record;
      const room = Math.max(limits.historyRowBytes, record.body.length + 24);
      writer = new BinaryWriter(Math.min(left, room));
    }
    left -= record.body.length + 24;
    writer.varint(record.revision).varint(record.sub).bytes(record.body);
  }
  close();
  return rows;
}

/**
 * Every version of every key in the order of revisions, until compacted. Versions of commands that
 * are not flushed are in memory; the rest is packed, many in a row.
 */
export class History {
  readonly #store: StateStore;
  #pending: RecordedVersion[] = [];
  #pendingBytes = 0;
  /** The rows that they are in. The last one is filled, beyond a flush while it is small. */
  #rows: HistoryRow[] = [];
  readonly #cache = new Cache<IndexedRow>(limits.historyCacheRowsMax, limits.historyCacheBytesMax);

  constructor(store: StateStore) {
    this.#store = store;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Returns the version as it is kept. */
  append(draft: Version): RecordedVersion {
    let row = this.#rows.at(-1);
    if (row === undefined || !row.fits(draft)) {
      row = new HistoryRow(draft);
      this.#rows.push(row);
    }
    const version = row.add(draft);
    this.#pending.push(version);
    this.#pendingBytes += memoryOf(version);
    return version;
  }

  /** Takes back the newest `count` versions: their command failed. */
  truncate(count: number): void {
    for (let left = count; left > 0; left--) {
      const version = must(this.#pending.pop(), 'a version to take back');
      this.#pendingBytes -= memoryOf(version);
      const row = must(this.#rows.at(-1), 'the row that it is in');
      row.remove(version);
      if (row.length === 0) this.#rows.pop();
    }
  }

  /** The version at exactly this place, or null when it was compacted. */
  at(place: Place): Version | null {
    const first = this.#pending[0];
    if (first === undefined || comparePlaces(placeOf(first), place) > 0) {
      return this.#rowOf(place)?.find(place) ?? null;
    }
    return this.#pending[indexOf(this.#pending, place, placeOf)] ?? null;
  }

  /** Versions from the given revision on, in order. Neither flush nor compact while reading. */
  *from(revision: number): Generator<HistoryRecord> {
    let start = this.#scanBack({ revision, sub: 0 })?.key ?? EMPTY_BYTES;
    for (;;) {
      const row: Row | undefined = this.#store.scan('history', { start, end: null }, 1)[0];
      if (row === undefined) break;
      for (const record of recordsOf(row.value)) {
        if (record.revision >= revision) yield record;
      }
      start = keyAfter(row.key);
    }
    for (const version of this.#pending) {
      if (version.modRevision >= revision) yield version.record;
    }
  }

  /** Writes what is pending: packed rows, the first of which may continue the newest row. */
  flush(): void {
    if (this.#pending.length === 0) return;
    const rows = this.#rows.map(({ row }) => row);
    // The first may be in the store already, with fewer versions.
    this.#cache.delete(mapKey(must(rows[0], 'what is pending is in a row').key));
    this.#store.put('history', rows);
    const last = must(this.#rows.at(-1), 'what is pending is in a row');
    this.#rows = last.length < limits.historyRowBytes / 4 ? [last] : [];
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /** Rows were rewritten by compaction, with nothing pending above them. */
  forget(): void {
    assert(this.#pending.length === 0, 'rows are forgotten before they are written');
    this.#cache.clear();
    this.#rows = [];
  }

  #rowOf(place: Place): IndexedRow | null {
    for (const [name, row] of this.#cache) {
      if (row.spans(place)) return must(this.#cache.get(name), 'cached');
    }
    const found = this.#scanBack(place);
    if (found === undefined) return null;
    const row = new IndexedRow(found.value);
    this.#cache.set(mapKey(found.key), row, row.bytes);
    return row;
  }

  /** The last row that begins at or before the place. */
  #scanBack(place: Place): Row | undefined {
    const end = keyAfter(historyKey(place));
    return this.#store.scan('history', { start: EMPTY_BYTES, end }, 1, true)[0];
  }
}

function memoryOf({ bodyBytes }: RecordedVersion): number {
  return 64 + bodyBytes;
}

/** Where the place is in an ordered list, or -1. */
function indexOf<T>(list: readonly T[], place: Place, placeOfItem: (item: T) => Place): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = placeOfItem(must(list[middle], 'in the list'));
    const order = comparePlaces(found, place);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return -1;
}
