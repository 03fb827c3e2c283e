/**
 * The log as the core sees it: a cached tail over what is on disk.
 *
 *   compaction point        #cacheFirst            durable         unsaved        last
 *        |---- on disk only ----|---- disk and cache ----|-- written, --|-- in no ----|
 *                                                          unconfirmed    batch yet
 *
 * Entries leave the cache only when durable, so what is not in it can be read back.
 */
import { assert } from '../lib/assert.ts';
import { hasBug } from './bugs.ts';
import type { Entry, SnapshotMeta } from './message.ts';
import type { RaftOptions } from './options.ts';
import type { InitialState, LogReader } from './storage.ts';

/** What an entry costs in memory beside its data. */
const ENTRY_OVERHEAD_BYTES = 64;

export function entryBytes(entry: Entry): number {
  return entry.data.length + ENTRY_OVERHEAD_BYTES;
}

/** A batch handed out to be written and not confirmed yet. */
interface OutstandingBatch {
  readonly sequence: number;
  /**
   * The log is durable up to here once the batch is: lowered when a later leader replaces the tail.
   */
  last: number;
}

export class RaftLog {
  readonly options: RaftOptions;
  readonly #reader: LogReader;
  #compacted: { readonly index: number; readonly term: number };
  #cache: Entry[] = [];
  #cacheFirst: number;
  #cacheBytes = 0;
  #durable: number;
  #unsavedFrom: number;
  #outstanding: OutstandingBatch[] = [];
  #commit: number;
  #handedOut: number;
  #applied: number;

  constructor(options: RaftOptions, initial: InitialState, reader: LogReader) {
    const { snapshot, lastIndex, applied } = initial;
    assert(lastIndex >= snapshot.index, 'the log ends before its compaction point');
    assert(applied >= snapshot.index, 'the state is older than the compaction point');
    assert(applied <= lastIndex, 'the state is newer than the log');
    this.options = options;
    this.#reader = reader;
    this.#compacted = { index: snapshot.index, term: snapshot.term };
    this.#cacheFirst = lastIndex + 1;
    this.#durable = lastIndex;
    this.#unsavedFrom = lastIndex + 1;
    // The saved commit index is a hint: what the state machine has applied was committed too.
    this.#commit = Math.max(applied, Math.min(initial.commit, lastIndex));
    this.#handedOut = applied;
    this.#applied = applied;
  }

  get compactedIndex(): number {
    return this.#compacted.index;
  }
  get firstIndex(): number {
    return this.#compacted.index + 1;
  }
  get lastIndex(): number {
    return this.#cacheFirst + this.#cache.length - 1;
  }
  get lastTerm(): number {
    return this.term(this.lastIndex);
  }
  /** Confirmed on this member's disk, as the log is now. */
  get durableIndex(): number {
    return this.#durable;
  }
  get commit(): number {
    return this.#commit;
  }
  /** Committed entries up to here were given to the runtime. */
  get handedOut(): number {
    return this.#handedOut;
  }
  /** The runtime reported these as applied. */
  get applied(): number {
    return this.#applied;
  }
  /** Entries that no batch holds yet: those of the present step. */
  get unsavedCount(): number {
    return this.lastIndex + 1 - this.#unsavedFrom;
  }
  get cacheBytes(): number {
    return this.#cacheBytes;
  }

  /** The term of an entry, which is not compacted and not beyond the end. */
  term(index: number): number {
    const { index: compactedIndex, term } = this.#compacted;
    assert(index >= compactedIndex, `term of compacted index ${index}`);
    assert(index <= this.lastIndex, `term of index ${index} beyond the log`);
    if (index === compactedIndex) return term;
    const cached = this.#cache[index - this.#cacheFirst];
    return cached === undefined ? this.#reader.term(index) : cached.term;
  }

  /**
   * Whether the log holds an entry of this index and term (then it equals the sender's up to
   * there).
   */
  matches(index: number, term: number): boolean {
    if (index < this.#compacted.index || index > this.lastIndex) return false;
    return this.term(index) === term;
  }

  /**
   * The election restriction (thesis §3.6.1): is a log that ends so at least as up to date as ours?
   */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    const ownTerm = this.lastTerm;
    return lastTerm > ownTerm || (lastTerm === ownTerm && lastIndex >= this.lastIndex);
  }

  /**
   * Entries in [low, high): at least one, then as many as fit; possibly fewer where disk and cache
   * meet.
   */
  slice(low: number, high: number, bytesMax: number): readonly Entry[] {
    assert(low > this.#compacted.index, `read of compacted entry ${low}`);
    assert(high <= this.lastIndex + 1, 'read beyond the log');
    if (low >= high) return [];
    if (low < this.#cacheFirst)
      return this.#readBack(low, Math.min(high, this.#cacheFirst), bytesMax);
    const start = low - this.#cacheFirst;
    let end = start;
    for (let bytes = 0; end < high - this.#cacheFirst; end++) {
      bytes += entryBytes(this.#cache[end] as Entry);
      if (bytes > bytesMax && end > start) break;
    }
    return this.#cache.slice(start, end);
  }

  /** Adds entries at the end. Indexes are contiguous and terms never decrease (L2). */
  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const last = this.lastIndex;
      // Words are put together only when they are needed: this runs for every entry.
      if (entry.index !== last + 1) assert(false, `log gap: ${entry.index} after ${last}`);
      const previous = this.#cache[this.#cache.length - 1]?.term ?? this.term(last);
      if (entry.term < previous) assert(false, `term decreases at index ${entry.index}`);
      this.#cache.push(entry);
      this.#cacheBytes += entryBytes(entry);
    }
  }

  /**
   * Forgets the entries from `index` on, which another leader did not have. Batches that wrote them
   * may still be on their way to disk; their confirmation must then not count for the entries that
   * take the place (the ABA interleaving):
   *  1. entries 5..6 of term 2 leave in batch 7;
   *  2. a leader of term 3 replaces them; its 5..6 leave in batch 8;
   *  3. batch 7 is confirmed. Counting up to index 6 now would promise entries that a crash loses.
   */
  truncateFrom(index: number): void {
    assert(index > this.#commit, `committed entry ${index} would go (commit ${this.#commit})`);
    const keep = Math.max(0, index - this.#cacheFirst);
    for (const entry of this.#cache.splice(keep)) this.#cacheBytes -= entryBytes(entry);
    this.#cacheFirst = Math.min(this.#cacheFirst, index);
    this.#unsavedFrom = Math.min(this.#unsavedFrom, index);
    this.#durable = Math.min(this.#durable, index - 1);
    if (hasBug(this, 'persisted-aba')) return;
    for (const batch of this.#outstanding) batch.last = Math.min(batch.last, index - 1);
  }

  /**
   * Replaces everything by a snapshot. The log is durable again once the batch that carries it is.
   */
  reset(meta: SnapshotMeta): void {
    assert(
      meta.index > this.#commit || hasBug(this, 'install-stale-snapshot'),
      'a snapshot behind the commit index would be installed',
    );
    for (const batch of this.#outstanding) batch.last = 0;
    this.#durable = Math.min(this.#durable, this.#commit);
    this.#compacted = { index: meta.index, term: meta.term };
    this.#cache = [];
    this.#cacheBytes = 0;
    this.#cacheFirst = meta.index + 1;
    this.#unsavedFrom = meta.index + 1;
    this.#commit = meta.index;
    this.#handedOut = meta.index;
    this.#applied = meta.index;
  }

  /** The entries no batch holds yet, for the batch of this sequence number. */
  takeUnsaved(sequence: number): readonly Entry[] {
    const entries = this.#cache.slice(this.#unsavedFrom - this.#cacheFirst);
    this.#unsavedFrom = this.lastIndex + 1;
    this.#outstanding.push({ sequence, last: this.lastIndex });
    return entries;
  }

  /** Everything up to this batch is on disk. */
  confirmSaved(sequence: number): void {
    let confirmed = 0;
    for (const batch of this.#outstanding) {
      if (batch.sequence > sequence) break;
      this.#durable = Math.max(this.#durable, Math.min(batch.last, this.lastIndex));
      confirmed++;
    }
    this.#outstanding.splice(0, confirmed);
    this.#evict();
  }

  /** @returns whether the commit index rose. It never falls (L8). */
  commitTo(index: number): boolean {
    assert(index <= this.lastIndex, `commit ${index} beyond the log (${this.lastIndex})`);
    if (index <= this.#commit) return false;
    this.#commit = index;
    return true;
  }

  /** The next committed entries for the state machine, each once. */
  handOut(bytesMax: number): readonly Entry[] {
    const entries = this.slice(this.#handedOut + 1, this.#commit + 1, bytesMax);
    this.#handedOut += entries.length;
    return entries;
  }

  /** A report older than the last one (from before a snapshot) says nothing new. */
  appliedTo(index: number): void {
    assert(index <= this.#handedOut, `applied ${index} was not handed out (${this.#handedOut})`);
    this.#applied = Math.max(this.#applied, index);
  }

  /** Moves the compaction point; entries up to it are never asked for again. */
  compactTo(index: number): void {
    const point = Math.min(index, this.#applied);
    if (point <= this.#compacted.index) return;
    assert(point < this.#unsavedFrom, 'an entry is compacted before it was written');
    this.#compacted = { index: point, term: this.term(point) };
    const gone = Math.min(this.#cache.length, Math.max(0, point + 1 - this.#cacheFirst));
    this.#dropFront(gone);
    // The caller's word is that the state up to here is durable, whatever became of the entries.
    this.#durable = Math.max(this.#durable, point);
  }

  /**
   * The last index up to `index` whose term is not above `term`, looking no lower than `floor`: no
   * entry in between can be equal to the other log's (fast repair, end of thesis §3.5).
   */
  lastNotAbove(index: number, term: number, floor: number): number {
    const lowest = Math.max(floor, this.#compacted.index);
    let candidate = Math.min(index, this.lastIndex);
    while (candidate > lowest && this.term(candidate) > term) candidate--;
    return candidate;
  }

  #readBack(low: number, high: number, bytesMax: number): readonly Entry[] {
    const entries = this.#reader.entries(low, high, bytesMax);
    assert(entries.length > 0, `entry ${low} is not on disk`);
    assert(entries[0]?.index === low, `entry ${low} was asked for, another was read`);
    assert(entries.length <= high - low, 'more entries were read than asked for');
    return entries;
  }

  /**
   * Drops a quarter of the cache at once when it is full, so that the array is not moved per entry.
   */
  #evict(): void {
    if (this.#cacheBytes <= this.options.cacheBytesMax) return;
    const target = this.options.cacheBytesMax * 0.75;
    let count = 0;
    let bytes = this.#cacheBytes;
    for (const entry of this.#cache) {
      if (bytes <= target || entry.index > this.#durable) break;
      bytes -= entryBytes(entry);
      count++;
    }
    this.#dropFront(count);
  }

  #dropFront(count: number): void {
    for (const entry of this.#cache.splice(0, count)) this.#cacheBytes -= entryBytes(entry);
    this.#cacheFirst += count;
  }
}
