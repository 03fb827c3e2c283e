import { limits } from '../config.ts';
import { mapKey } from '../lib/bytes.ts';
import { packRows, recordsOf } from './history.ts';
import { keyAfter } from './key_range.ts';
import type { CompactionProgress } from './meta.ts';
import type { Mvcc } from './mvcc.ts';
import type { Row, StateStore } from './store.ts';
import {
  comparePlaces,
  decodeRecord,
  decodeVersion,
  type HistoryRecord,
  historyKey,
  type Place,
  placeOf,
} from './version.ts';

const RECORDS = limits.compactionRecordsPerSlice;

/** The rows with the first so many records, one row at least. */
function firstRows(rows: readonly Row[], recordsMax: number): readonly Row[] {
  let records = 0;
  const count = rows.findIndex((row) => {
    records += recordsOf(row.value).length;
    return records >= recordsMax;
  });
  return count < 0 ? rows : rows.slice(0, count + 1);
}

/**
 * Removes versions that no read can ask for any more, some rows at a time. It works on the rows of
 * the store, with nothing unflushed above them, and its place is saved with each slice: a member
 * that is restarted goes on where it was. Answers never depend on how far it is.
 */
export class Compactor {
  readonly #store: StateStore;
  readonly #mvcc: Mvcc;
  readonly #bugs: ReadonlySet<string>;
  #progress: CompactionProgress | null;
  /** Per key, its newest version at or below the compact revision: the one to keep. Null: none. */
  #kept = new Map<string, Place | null>();
  #removedCount = 0;

  constructor(
    store: StateStore,
    mvcc: Mvcc,
    progress: CompactionProgress | null,
    bugs: ReadonlySet<string>,
  ) {
    this.#store = store;
    this.#mvcc = mvcc;
    this.#progress = progress;
    this.#bugs = bugs;
  }

  get progress(): CompactionProgress | null {
    return this.#progress;
  }

  /** Versions removed since this instance began. */
  get removedCount(): number {
    return this.#removedCount;
  }

  /** Rows below the compact revision may still be there. */
  get pending(): boolean {
    return this.#mvcc.compactedRevision < this.#mvcc.compactRevision;
  }

  /**
   * Looks for some of what the next slice has to know: which version of a key is to be kept. That
   * is most of the work, and changes nothing. False: there is more to look for.
   */
  prepare(): boolean {
    const { revision, table, cursor } = this.#begun();
    if (table !== 'history') return true;
    let lookups = 0;
    for (const row of firstRows(this.#rowsFrom(cursor, revision), RECORDS)) {
      for (const record of recordsOf(row.value)) {
        if (record.revision > revision) continue;
        const { key, deleted } = decodeRecord(record);
        if (deleted || this.#kept.has(mapKey(key))) continue;
        if (++lookups > limits.compactionLookupsPerSlice) return false;
        this.#keptPlace(key, revision);
      }
    }
    return true;
  }

  /** One slice. Must find everything flushed. */
  slice(): void {
    const { revision, table, cursor } = this.#begun();
    if (table === 'history') this.#historySlice(revision, cursor);
    else this.#deadSlice(revision, cursor);
  }

  #begun(): CompactionProgress {
    const revision = this.#mvcc.compactRevision;
    if (this.#progress?.revision !== revision) {
      this.#progress = { revision, table: 'history', cursor: new Uint8Array(0) };
      this.#kept.clear();
    }
    return this.#progress;
  }

  /** Rows that begin above the compact revision hold nothing to remove. */
  #rowsFrom(cursor: Uint8Array, revision: number): readonly Row[] {
    const end = historyKey({ revision: revision + 1, sub: 0 });
    return this.#store.scan('history', { start: cursor, end }, limits.compactionRowsPerSlice);
  }

  #historySlice(revision: number, cursor: Uint8Array): void {
    const found = this.#rowsFrom(cursor, revision);
    const rows = firstRows(found, RECORDS);
    this.#rewrite(rows, revision);
    const last = rows.at(-1);
    const isEnd = rows.length === found.length && found.length < limits.compactionRowsPerSlice;
    if (last === undefined || isEnd) {
      this.#progress = { revision, table: 'dead', cursor: new Uint8Array(0) };
    } else this.#progress = { revision, table: 'history', cursor: keyAfter(last.key) };
  }

  /**
   * Drops what is not needed of the rows; what is left of rows that follow each other shares a row.
   */
  #rewrite(rows: readonly Row[], revision: number): void {
    const gone: Uint8Array[] = [];
    const written: Row[] = [];
    let open: HistoryRecord[] = [];
    const close = () => {
      written.push(...packRows(open));
      open = [];
    };
    for (const row of rows) {
      const records = recordsOf(row.value);
      const kept = records.filter((record) => this.#isNeeded(record, revision));
      this.#removedCount += records.length - kept.length;
      if (kept.length === records.length && open.length === 0) continue;
      const small = row.value.length < limits.historyRowBytes / 2;
      if (kept.length === records.length && !small) {
        // A full row with nothing to drop stays as it is: rewriting it would cost and gain nothing.
        close();
        continue;
      }
      gone.push(row.key);
      open.push(...kept);
    }
    close();
    if (gone.length === 0) return;
    const kept = new Set(written.map(({ key }) => mapKey(key)));
    this.#store.delete(
      'history',
      gone.filter((key) => !kept.has(mapKey(key))),
    );
    if (written.length > 0) this.#store.put('history', written);
    this.#mvcc.history.forget();
  }

  /**
   * Needed are: everything from the compact revision on, deletions too, for a watch may begin
   * there;
   * and of each key that was live then the put that made it so.
   */
  #isNeeded(record: HistoryRecord, revision: number): boolean {
    if (record.revision > revision) return true;
    const { key, deleted } = decodeRecord(record);
    if (deleted && this.#bugs.has('compaction-drops-tombstone')) return false;
    if (!deleted && this.#bugs.has('compaction-drops-latest')) return false;
    if (record.revision === revision) return true;
    if (deleted) return false;
    const kept = this.#keptPlace(key, revision);
    return kept !== null && comparePlaces(kept, record) === 0;
  }

  #keptPlace(key: Uint8Array, revision: number): Place | null {
    const name = mapKey(key);
    const known = this.#kept.get(name);
    if (known !== undefined) return known;
    const newest = this.#mvcc.newestOf(key);
    const version = newest && this.#mvcc.versionAt(newest, revision);
    const place = version && placeOf(version);
    if (this.#kept.size >= limits.compactionMemoKeysMax) this.#kept.clear();
    this.#kept.set(name, place);
    return place;
  }

  /** Keys that were deleted at or below the compact revision are forgotten. */
  #deadSlice(revision: number, cursor: Uint8Array): void {
    const rows = this.#store.scan('dead', { start: cursor, end: null }, limits.scanPageRowsMax);
    const gone = rows.filter((row) => decodeVersion(row.key, row.value).modRevision <= revision);
    if (gone.length > 0) {
      this.#store.delete(
        'dead',
        gone.map(({ key }) => key),
      );
    }
    const last = rows.at(-1);
    if (last !== undefined && rows.length === limits.scanPageRowsMax) {
      this.#progress = { revision, table: 'dead', cursor: keyAfter(last.key) };
      return;
    }
    this.#progress = null;
    this.#kept.clear();
    this.#mvcc.compacted(revision);
  }
}
