import { EtcdError } from '../api/error.ts';
import { limits } from '../config.ts';
import { assert, must } from '../lib/assert.ts';
import { compareBytes, mapKey } from '../lib/bytes.ts';
import { History } from './history.ts';
import type { Journal } from './journal.ts';
import { ALL_KEYS } from './key_range.ts';
import type { Meta } from './meta.ts';
import { OverlayTable } from './overlay_table.ts';
import type { RecordedVersion } from './recorded_version.ts';
import type { RowCodec } from './row_codec.ts';
import type { KeyRange, StateStore } from './store.ts';
import type { Surroundings } from './surroundings.ts';
import {
  comparePlaces,
  decodeVersion,
  detached,
  placeOf,
  sizeOf,
  tombstone,
  type Version,
  writeVersion,
} from './version.ts';
import { VersionIndex, type VersionSummary } from './version_index.ts';

const VERSION_CODEC: RowCodec<Version> = {
  write: writeVersion,
  decode: decodeVersion,
  sizeOf,
  detach: detached,
};

/** A change and what it replaced: an event before anybody asked for it. */
export interface Change {
  readonly version: RecordedVersion;
  /**
   * The live version before, whole when somebody wants to know it; null when the key was created or
   * did not exist.
   */
  readonly replaced: VersionSummary | Version | null;
}

type MvccMeta = Pick<Meta, 'revision' | 'compactRevision' | 'compactedRevision' | 'keyCount'>;

/** What a put writes. */
export interface NewValue {
  readonly value: Uint8Array;
  readonly lease: bigint;
}

/**
 * The keys and their versions. Each changing command makes one main revision; its changes are
 * numbered inside it. Reads at any revision from the compact revision on give the same answer for
 * ever.
 */
export class Mvcc {
  readonly kv: OverlayTable<Version>;
  readonly dead: OverlayTable<Version>;
  readonly history: History;
  readonly #index: VersionIndex;
  readonly #surroundings: Surroundings;
  readonly #journal: Journal;
  #revision: number;
  #compactRevision: number;
  #changes: Change[] = [];
  /** Whether any key may be dead: without one, a put of a new key need not look. */
  #someDead: boolean;
  #compactedRevision: number;
  #keyCount: number;
  readonly #bugs: ReadonlySet<string>;

  constructor(
    store: StateStore,
    journal: Journal,
    meta: MvccMeta,
    bugs: ReadonlySet<string>,
    surroundings: Surroundings,
  ) {
    this.kv = new OverlayTable(store, 'kv', VERSION_CODEC, journal, {
      entriesMax: limits.kvCacheEntriesMax,
      bytesMax: limits.kvCacheBytesMax,
    });
    this.dead = new OverlayTable(store, 'dead', VERSION_CODEC, journal);
    this.history = new History(store);
    this.#index = new VersionIndex(surroundings.versionIndexBytesMax);
    this.#surroundings = surroundings;
    this.#journal = journal;
    this.#revision = meta.revision;
    this.#compactRevision = meta.compactRevision;
    this.#compactedRevision = meta.compactedRevision;
    this.#keyCount = meta.keyCount;
    this.#someDead = !this.dead.scan(ALL_KEYS).next().done;
    this.#bugs = bugs;
  }

  /** The newest main revision: 1 for an empty store. Inside a command: the one before it. */
  get revision(): number {
    return this.#revision;
  }

  /**
   * The revision as a reader inside the command sees it: one more once the command has changed
   * something.
   */
  get currentRevision(): number {
    return this.#revision + (this.#changes.length > 0 ? 1 : 0);
  }

  /** Reads below it are refused; -1 before the first compaction. */
  get compactRevision(): number {
    return this.#compactRevision;
  }

  /**
   * The compact revision up to which rows are gone: of this member alone, answers never depend on
   * it.
   */
  get compactedRevision(): number {
    return this.#compactedRevision;
  }

  /** Live keys: counted, because looking through all of them would take long and cost money. */
  get keyCount(): number {
    return this.#keyCount;
  }

  get unflushedBytes(): number {
    return this.kv.dirtyBytes + this.dead.dirtyBytes + this.history.pendingBytes;
  }

  /** Ends the command: its changes become one revision. Returns them in order. */
  commit(): readonly Change[] {
    const changes = this.#changes;
    if (changes.length === 0) return changes;
    this.#changes = [];
    this.#revision++;
    return changes;
  }

  /** Forgets the command's changes; the tables are taken back by the journal. */
  rollback(): void {
    for (const change of this.#changes) {
      this.#keyCount -= growthOf(change);
      this.#index.delete(change.version.key);
    }
    this.history.truncate(this.#changes.length);
    this.#changes = [];
  }

  /** Refuses reads below `revision` from now on. The rows go later, in slices. */
  compactTo(revision: number): void {
    const before = this.#compactRevision;
    if (revision <= before) throw EtcdError.of('compacted');
    if (revision > this.#revision) throw EtcdError.of('futureRevision');
    this.#journal.note(() => {
      this.#compactRevision = before;
    });
    this.#compactRevision = revision;
  }

  /** The rows that no read can ask for below this compact revision are gone. */
  compacted(revision: number): void {
    this.#compactedRevision = revision;
    this.#someDead = !this.dead.scan(ALL_KEYS).next().done;
  }

  /** The live version of a key. */
  newest(key: Uint8Array): Version | null {
    return this.kv.get(key);
  }

  /** @param whole what is replaced is wanted whole, in any case */
  put(key: Uint8Array, { value, lease }: NewValue, whole = false): Change {
    const name = mapKey(key);
    const held = this.kv.held(name);
    const summarySuffices = held === undefined && !whole && !this.#surroundings.previousWanted();
    const indexed = summarySuffices ? this.#index.get(key) : null;
    const slot = held ?? (indexed ? this.kv.unread(name) : this.kv.load(key, name));
    const old = indexed ?? slot.value;
    const dead = old === null && this.#someDead ? this.dead.get(key, name) : null;
    const revision = this.#revision + 1;
    const before = old ?? dead;
    const draft: Version = {
      key,
      deleted: false,
      createRevision: old ? old.createRevision : revision,
      modRevision: revision,
      sub: this.#changes.length,
      version: old ? old.version + 1 : 1,
      lease,
      value,
      previous: before && placeOf(before),
      payloadBytes: key.length + value.length,
    };
    const change = this.#record(draft, old);
    if (dead) this.dead.set(key, null, dead, name);
    this.kv.replace(slot, change.version);
    this.#index.set(key, change.version);
    return change;
  }

  /** Deletes a live key. */
  delete(old: Version): Change {
    const { key } = old;
    const name = mapKey(key);
    const draft = tombstone(key, this.#revision + 1, this.#changes.length, placeOf(old));
    const change = this.#record(draft, old);
    this.#index.delete(key);
    this.kv.set(key, null, old, name);
    this.dead.set(key, change.version, null, name);
    this.#someDead = true;
    return change;
  }

  /** Throws when a read at this revision cannot be answered. */
  checkReadable(revision: number): void {
    const progressBug = this.#bugs.has('txn-range-sees-compaction-progress');
    const floor = progressBug ? this.#compactedRevision : this.#compactRevision;
    if (revision > this.currentRevision) throw EtcdError.of('futureRevision');
    if (revision < floor) throw EtcdError.of('compacted');
  }

  /**
   * The live versions of the range at a revision, in key order.
   * @param wanted about how many the reader will take
   */
  range(range: KeyRange, revision: number, reverse = false, wanted?: number): Iterable<Version> {
    if (revision >= this.currentRevision) return this.kv.scan(range, reverse, wanted);
    return this.#historicRange(range, revision, reverse);
  }

  /** The newest version of the key at or below the revision; null when there was none. */
  versionAt(newest: Version, revision: number): Version | null {
    let version: Version | null = newest;
    while (version !== null && version.modRevision > revision) version = this.#before(version);
    return version;
  }

  /** The newest version of one key, deletions included. */
  newestOf(key: Uint8Array): Version | null {
    const name = mapKey(key);
    return this.kv.get(key, name) ?? this.dead.get(key, name);
  }

  count(range: KeyRange): number {
    return this.kv.count(range);
  }

  flush(): void {
    this.kv.flush();
    this.dead.flush();
    this.history.flush();
  }

  /** The version of the change is a view on its record in history: the entry's bytes are let go. */
  #record(draft: Version, replaced: Change['replaced']): Change {
    const change = { version: this.history.append(draft), replaced };
    // Most commands change one key: a list that is pushed to has room for seventeen.
    if (this.#changes.length === 0) this.#changes = [change];
    else this.#changes.push(change);
    this.#keyCount += growthOf(change);
    return change;
  }

  *#historicRange(range: KeyRange, revision: number, reverse: boolean): Generator<Version> {
    for (const batch of batchesOf(this.newestOfAll(range, reverse))) {
      for (const version of this.versionsAt(batch, revision)) {
        if (version !== null && !version.deleted) yield version;
      }
    }
  }

  /**
   * {@link versionAt} for many keys at once. They go back in steps, all of them one version at a
   * time and in the order of history, so that those that changed together read its rows together.
   */
  versionsAt(batch: readonly Version[], revision: number): (Version | null)[] {
    const found: (Version | null)[] = [...batch];
    let open = batch.flatMap(({ modRevision }, at) => (modRevision > revision ? [at] : []));
    const previous = (at: number) => found[at]?.previous ?? { revision: 0, sub: 0 };
    while (open.length > 0) {
      open.sort((a, b) => comparePlaces(previous(b), previous(a)));
      for (const at of open) found[at] = this.#before(must(found[at], 'still walking'));
      open = open.filter((at) => (found[at]?.modRevision ?? 0) > revision);
    }
    // A value is a view on a whole row of history, which an answer must not hold on to.
    return found.map((version, at) =>
      version === null || version === batch[at] ? version : detached(version),
    );
  }

  /** One version further back; null at the beginning of what is kept. */
  #before({ previous }: Version): Version | null {
    if (previous === null) return null;
    const version = this.history.at(previous);
    // Only at or below the compact revision may a version be gone while a newer one names it.
    assert(
      version !== null || previous.revision <= this.#compactRevision,
      `a version at revision ${previous.revision} is missing from history`,
    );
    return version;
  }

  /** kv and dead in one order: a key is in exactly one of them. */
  *newestOfAll(range: KeyRange, reverse = false): Generator<Version> {
    if (!this.#someDead) {
      yield* this.kv.scan(range, reverse);
      return;
    }
    const sign = reverse ? -1 : 1;
    const dead = this.dead.scan(range, reverse);
    let next = dead.next();
    for (const version of this.kv.scan(range, reverse)) {
      while (!next.done && sign * compareBytes(next.value.key, version.key) < 0) {
        yield next.value;
        next = dead.next();
      }
      yield version;
    }
    while (!next.done) {
      yield next.value;
      next = dead.next();
    }
  }
}

/** Groups of keys: small at first, for a reader that needs few, and bounded in rows and bytes. */
function* batchesOf(versions: Iterable<Version>): Generator<Version[]> {
  let batch: Version[] = [];
  let bytes = 0;
  let rowsMax = 8;
  for (const version of versions) {
    batch.push(version);
    bytes += sizeOf(version);
    if (batch.length < rowsMax && bytes < limits.scanPageBytes) continue;
    yield batch;
    batch = [];
    bytes = 0;
    rowsMax = Math.min(4 * rowsMax, limits.scanPageRowsMax);
  }
  yield batch;
}

/** By how many keys there are more: only live ones are ever deleted. */
function growthOf({ version, replaced }: Change): number {
  if (version.deleted) return -1;
  return replaced === null ? 1 : 0;
}
