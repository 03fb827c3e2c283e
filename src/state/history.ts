import { limits } from '../config.ts';
import { assert, must } from '../lib/assert.ts';
import { BinaryReader, BinaryWriter } from '../lib/binary.ts';
import { EMPTY_BYTES, mapKey } from '../lib/bytes.ts';
import { Cache } from './cache.ts';
import { keyAfter } from './key_range.ts';
import type { Row, StateStore } from './store.ts';
import {
  comparePlaces,
  decodeRecord,
  encodeRecord,
  type HistoryRecord,
  type Place,
  type Version,
} from './version.ts';

/** The key of the history row that begins with this place: ordered as places are. */
export function historyKey({ revision, sub }: Place): Uint8Array {
  const key = new Uint8Array(12);
  const view = new DataView(key.buffer);
  view.setBigUint64(0, BigInt(revision));
  view.setUint32(8, sub);
  return key;
}

/** The records of one row, in order: views on the row. */
export function recordsOf(row: Uint8Array): HistoryRecord[] {
  const reader = new BinaryReader(row);
  const records: HistoryRecord[] = [];
  while (!reader.done) {
    records.push({ revision: reader.varint(), sub: reader.varint(), body: reader.bytes() });
  }
  return records;
}

/** Packs records that follow each other into rows of about limits.historyRowBytes; a big one has its own. */
export function packRows(records: readonly HistoryRecord[]): Row[] {
  const rows: Row[] = [];
  let first: HistoryRecord | null = null;
  let writer = new BinaryWriter();
  const close = () => {
    if (first === null) return;
    assert(writer.length <= limits.rowBytesMax, `history row of ${writer.length} bytes`);
    rows.push({ key: historyKey(first), value: writer.finish() });
  };
  for (const record of records) {
    if (first === null || writer.length + record.body.length > limits.historyRowBytes) {
      close();
      first = record;
      writer = new BinaryWriter(Math.max(4_096, record.body.length + 32));
    }
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
  #pending: HistoryRecord[] = [];
  #pendingBytes = 0;
  readonly #cache = new Cache<readonly HistoryRecord[]>(
    limits.historyCacheRowsMax,
    limits.historyCacheBytesMax,
  );
  /** The newest row while it is small: the next flush continues it. */
  #tail: Row | null = null;

  constructor(store: StateStore) {
    this.#store = store;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Returns the part of the record's bytes that is the same on every member. */
  append(version: Version): Uint8Array {
    const { record, content } = encodeRecord(version);
    this.#pending.push(record);
    this.#pendingBytes += memoryOf(record);
    return content;
  }

  /** Takes back the newest `count` versions: their command failed. */
  truncate(count: number): void {
    for (const record of this.#pending.splice(this.#pending.length - count, count)) {
      this.#pendingBytes -= memoryOf(record);
    }
  }

  /** The version at exactly this place, or null when it was compacted. */
  at(place: Place): Version | null {
    const first = this.#pending[0];
    const pending = first !== undefined && comparePlaces(first, place) <= 0;
    const record = find(pending ? this.#pending : this.#rowOf(place), place);
    return record && decodeRecord(record);
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
    for (const record of this.#pending) if (record.revision >= revision) yield record;
  }

  /** Writes what is pending: packed rows, the first of which may continue the newest row. */
  flush(): void {
    if (this.#pending.length === 0) return;
    const tail = this.#tail;
    const continued = tail === null ? [] : recordsOf(tail.value);
    const rows = packRows([...continued, ...this.#pending]);
    if (tail !== null) this.#cache.delete(mapKey(tail.key));
    this.#store.put('history', rows);
    const last = rows.at(-1) ?? null;
    this.#tail = last !== null && last.value.length < limits.historyRowBytes / 4 ? last : null;
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /** Rows were rewritten by compaction. */
  forget(): void {
    this.#cache.clear();
    this.#tail = null;
  }

  #rowOf(place: Place): readonly HistoryRecord[] {
    for (const [name, records] of this.#cache) {
      const first = records[0];
      const last = records.at(-1);
      if (first === undefined || last === undefined) continue;
      if (comparePlaces(first, place) > 0 || comparePlaces(last, place) < 0) continue;
      return must(this.#cache.get(name), 'cached');
    }
    const row = this.#scanBack(place);
    if (row === undefined) return [];
    const records = recordsOf(row.value);
    this.#cache.set(mapKey(row.key), records, row.value.length + 128 * records.length);
    return records;
  }

  /** The last row that begins at or before the place. */
  #scanBack(place: Place): Row | undefined {
    const end = keyAfter(historyKey(place));
    return this.#store.scan('history', { start: EMPTY_BYTES, end }, 1, true)[0];
  }
}

function memoryOf({ body }: HistoryRecord): number {
  return 64 + body.length;
}

/** The record at the place in an ordered list. */
function find(records: readonly HistoryRecord[], place: Place): HistoryRecord | null {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comparePlaces(must(records[middle], 'in the list'), place) < 0) low = middle + 1;
    else high = middle;
  }
  const found = records[low];
  return found && comparePlaces(found, place) === 0 ? found : null;
}
