import { limits } from '../config.ts';
import { assert, must } from '../lib/assert.ts';
import type { Entry } from '../raft/message.ts';
import { decodeBatch, encodeBatch, type LogBatch } from './batch.ts';
import type { MetaTable } from './meta.ts';
import { blobOf, type Sql } from './sql.ts';

/**
 * A table of batches. Segments are dropped whole, which costs no rows, instead of deleting rows.
 */
interface Segment {
  readonly number: number;
  /**
   * The first index it was opened for; entries at and after the next segment's first are not its.
   */
  first: number;
  rows: number;
  bytes: number;
}

/**
 * The write-ahead log. A batch of entries that becomes durable together is one row, keyed by its
 * first index; a lone put costs one row, sixty-four concurrent ones also.
 *
 * Rows of different batches never overlap: replacing a conflicting tail first cuts what is there.
 */
export class LogTable {
  readonly #sql: Sql;
  readonly #meta: MetaTable;
  #segments: Segment[];
  #lastIndex: number;
  /** The batch read last: a peer that catches up reads on from there. */
  #cached: LogBatch | null = null;

  constructor(sql: Sql, meta: MetaTable, snapshotIndex: number) {
    this.#sql = sql;
    this.#meta = meta;
    this.#segments = this.#loadSegments();
    this.#lastIndex = this.#lastBatch()?.lastIndex ?? snapshotIndex;
    if (this.#lastIndex < snapshotIndex) this.#lastIndex = snapshotIndex;
  }

  get lastIndex(): number {
    return this.#lastIndex;
  }

  /** Bytes of the database that the log takes, about: the rows with their share of pages. */
  get bytes(): number {
    let bytes = 0;
    for (const segment of this.#segments) bytes += segment.bytes;
    return bytes;
  }

  /** The highest commit index saved beside a batch; 0 when there is none. */
  get commit(): number {
    return this.#lastBatch()?.commit ?? 0;
  }

  /** Replaces everything from the first entry's index on. Large batches become several rows. */
  append(entries: readonly Entry[], commit: number): void {
    const first = must(entries[0], 'an empty batch').index;
    assert(first <= this.#lastIndex + 1, `log gap: ${first} after ${this.#lastIndex}`);
    if (first <= this.#lastIndex) this.#truncate(first);
    for (const part of split(entries)) this.#insert(part, commit);
    this.#lastIndex = first + entries.length - 1;
  }

  entries(low: number, high: number, bytesMax: number): Entry[] {
    const result: Entry[] = [];
    let bytes = 0;
    for (let index = low; index < high; ) {
      const batch = this.#batchOf(index);
      for (const entry of batch.entries.slice(index - batch.firstIndex)) {
        bytes += entry.data.length;
        if (entry.index >= high || (result.length > 0 && bytes > bytesMax)) return result;
        result.push(entry);
        index = entry.index + 1;
      }
    }
    return result;
  }

  term(index: number): number {
    const batch = this.#batchOf(index);
    return must(batch.entries[index - batch.firstIndex], `no entry ${index}`).term;
  }

  /** Drops the segments all of whose entries are at or before `index`. */
  compact(index: number): void {
    while (this.#segments.length > 1 && must(this.#segments[1], 'segment').first <= index + 1) {
      this.#drop(must(this.#segments.shift(), 'segment'));
      this.#saveSegments();
    }
  }

  /** Forgets everything: a snapshot at `index` took its place. */
  reset(index: number): void {
    for (const segment of this.#segments) this.#drop(segment);
    this.#segments = [];
    this.#saveSegments();
    this.#cached = null;
    this.#lastIndex = index;
  }

  #insert(entries: readonly Entry[], commit: number): void {
    const first = must(entries[0], 'an empty batch').index;
    const body = encodeBatch(entries, commit);
    const segment = this.#segmentFor(first);
    this.#sql.run(`INSERT INTO log_${segment.number} VALUES (?, ?)`, first, body);
    segment.rows++;
    segment.bytes += pagedBytes(body.length);
  }

  /** The segment to write to: the last one, or a new one when that is full. */
  #segmentFor(first: number): Segment {
    const last = this.#segments.at(-1);
    if (last && last.rows < limits.logSegmentRows && last.bytes < limits.logSegmentBytes) {
      return last;
    }
    const segment = { number: (last?.number ?? 0) + 1, first, rows: 0, bytes: 0 };
    this.#sql.run(
      `CREATE TABLE IF NOT EXISTS log_${segment.number} (first INTEGER PRIMARY KEY, body BLOB NOT NULL)`,
    );
    this.#segments.push(segment);
    this.#saveSegments();
    return segment;
  }

  /** Removes entries from `index` on: a new leader's entries conflict with them. */
  #truncate(index: number): void {
    this.#cached = null;
    while (this.#segments.length > 0 && must(this.#segments.at(-1), 'segment').first >= index) {
      this.#drop(must(this.#segments.pop(), 'segment'));
      this.#saveSegments();
    }
    const segment = this.#segments.at(-1);
    if (segment) {
      const { number } = segment;
      this.#sql.run(`DELETE FROM log_${number} WHERE first >= ?`, index);
      const straddling = this.#rowAt(number, index);
      if (straddling && straddling.lastIndex >= index) {
        const { firstIndex, entries, commit } = straddling;
        this.#sql.run(
          `UPDATE log_${number} SET body = ? WHERE first = ?`,
          encodeBatch(entries.slice(0, index - firstIndex), commit),
          firstIndex,
        );
      }
    }
    this.#lastIndex = index - 1;
  }

  #batchOf(index: number): LogBatch {
    const cached = this.#cached;
    if (cached && cached.firstIndex <= index && index <= cached.lastIndex) return cached;
    const segment = this.#segments.findLast(({ first }) => first <= index);
    const batch = segment ? this.#rowAt(segment.number, index) : null;
    assert(batch !== null && index <= batch.lastIndex, `entry ${index} is not in the log`);
    this.#cached = batch;
    return batch;
  }

  /** The batch that begins at or before `index`. */
  #rowAt(segment: number, index: number): LogBatch | null {
    const row = this.#sql.row(
      `SELECT first, body FROM log_${segment} WHERE first <= ? ORDER BY first DESC LIMIT 1`,
      index,
    );
    return row ? decodeBatch(Number(row[0]), blobOf(row[1])) : null;
  }

  #lastBatch(): LogBatch | null {
    for (const { number } of [...this.#segments].reverse()) {
      const batch = this.#rowAt(number, Number.MAX_SAFE_INTEGER);
      if (batch) return batch;
    }
    return null;
  }

  #drop(segment: Segment): void {
    this.#sql.run(`DROP TABLE IF EXISTS log_${segment.number}`);
  }

  #loadSegments(): Segment[] {
    const saved = JSON.parse(this.#meta.text('logSegments') ?? '[]') as SavedSegment[];
    return saved.map(([number, first, bytes = 0], at) =>
      // What the last one holds is not saved with each row: it is looked at.
      at === saved.length - 1
        ? { number, first, ...this.#measure(number) }
        : { number, first, rows: limits.logSegmentRows, bytes },
    );
  }

  #measure(segment: number): Pick<Segment, 'rows' | 'bytes'> {
    const lengths = this.#sql.rows(`SELECT length(body) FROM log_${segment}`);
    const bytes = lengths.reduce((sum, [length]) => sum + pagedBytes(Number(length)), 0);
    return { rows: lengths.length, bytes };
  }

  #saveSegments(): void {
    const list: SavedSegment[] = this.#segments.map(({ number, first, bytes }) => [
      number,
      first,
      bytes,
    ]);
    this.#meta.set('logSegments', JSON.stringify(list));
  }
}

type SavedSegment = [number: number, first: number, bytes?: number];

/** SQLite's page, and of it what a chained page of a large row carries. */
const PAGE_BYTES = 4_096;
const CHAINED_PAGE_BYTES = 4_092;

/** What a row takes of the file: large ones go on in pages of their own. */
function pagedBytes(length: number): number {
  if (length < PAGE_BYTES / 2) return length + 12;
  if (length < PAGE_BYTES) return PAGE_BYTES;
  return Math.ceil(length / CHAINED_PAGE_BYTES) * PAGE_BYTES;
}

/** Parts that fit in a row each. */
function* split(entries: readonly Entry[]): Generator<readonly Entry[]> {
  let start = 0;
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) {
    const size = must(entries[i], 'entry').data.length + 32;
    if (i > start && bytes + size > limits.rowBytesMax) {
      yield entries.slice(start, i);
      start = i;
      bytes = 0;
    }
    bytes += size;
  }
  yield entries.slice(start);
}
