import { assert, must } from '../../src/lib/assert.ts';
import { mapKey } from '../../src/lib/bytes.ts';
import type { LoadedLog, MemberDisk } from '../../src/member/host.ts';
import type { Entry, SnapshotMeta } from '../../src/raft/message.ts';
import type { PersistBatch } from '../../src/raft/output.ts';
import { Journal } from '../../src/state/journal.ts';
import { Members, type Membership } from '../../src/state/member.ts';
import type { KeyRange, Row, StateStore, TableName } from '../../src/state/store.ts';
import type { DiskChange, DiskImage } from './disk_image.ts';

/** What the simulator does about an instance's storage calls. */
export interface DiskObserver {
  /** Before a write or a sync. May throw: a crash at this very call, or a superseded instance. */
  beforeCall(call: string): void;
  /** Before the batch changes the live image. */
  beforeBatch(batch: PersistBatch): void;
  /** Everything written since the last sync is one transaction: make it durable some time. */
  sync(changes: readonly DiskChange[], done: (error: Error | null) => void): void;
  /** A write failed that nobody waits for: the platform resets the instance. */
  reset(error: Error): void;
}

/** The database as one instance of a member sees it. */
export class InstanceDisk implements MemberDisk {
  readonly live: DiskImage;
  readonly state: StateStore;
  readonly #observer: DiskObserver;
  #transaction: DiskChange[] = [];
  #syncsInFlight = 0;

  constructor(live: DiskImage, observer: DiskObserver) {
    this.live = live;
    this.#observer = observer;
    this.state = new InstanceStore(live, (change) => this.#change(change));
  }

  load(): LoadedLog {
    return this.live.load();
  }

  bootstrap(meta: SnapshotMeta): void {
    this.#change({ type: 'bootstrap', meta });
  }

  saveEpoch(epoch: number): void {
    this.#change({ type: 'epoch', epoch });
  }

  write(batch: PersistBatch): void {
    this.#observer.beforeBatch(batch);
    this.#change({ type: 'batch', batch });
  }

  touch(): void {
    this.#observer.beforeCall('touch');
  }

  compact(meta: SnapshotMeta): void {
    this.#change({ type: 'compact', meta });
  }

  entries(low: number, high: number, bytesMax: number): readonly Entry[] {
    assert(low < high && high <= this.live.lastIndex + 1, `no entries [${low}, ${high})`);
    const entries: Entry[] = [];
    let bytes = 0;
    for (let index = low; index < high; index++) {
      const entry = must(this.live.entry(index), `entry ${index} is compacted`);
      bytes += entry.data.length;
      if (entries.length > 0 && bytes > bytesMax) break;
      entries.push(entry);
    }
    return entries;
  }

  term(index: number): number {
    return must(this.live.termAt(index), `the term of entry ${index} is not on disk`);
  }

  /** The platform calls at once and holds what is sent: here the call itself waits. */
  gate(send: () => void): void {
    if (this.#transaction.length === 0 && this.#syncsInFlight === 0) return send();
    this.sync((error) => {
      if (error !== null) this.#observer.reset(error);
      else send();
    });
  }

  sync(done: (error: Error | null) => void): void {
    this.#observer.beforeCall('sync');
    const changes = this.#transaction;
    this.#transaction = [];
    this.#syncsInFlight++;
    this.#observer.sync(changes, (error) => {
      this.#syncsInFlight--;
      done(error);
    });
  }

  /**
   * The event is over. The platform commits what is left of it as a transaction of its own, without
   * being asked; so two events never share one. When that fails it resets the instance.
   */
  seal(): void {
    if (this.#transaction.length > 0) this.gate(() => {});
  }

  #change(change: DiskChange): void {
    this.#observer.beforeCall(change.type);
    this.live.apply(change);
    this.#transaction.push(change);
  }
}

/** The tables as they are now, in a store of their own. */
export function copyOf(image: DiskImage): StateStore {
  const copy = image.clone();
  return new InstanceStore(copy, (change) => copy.apply(change));
}

/** The members as an instance would know them that starts from these rows. */
export function membersIn(image: DiskImage): Membership {
  const store = new InstanceStore(image, () => assert(false, 'rows that are looked at change'));
  return new Members(store, new Journal(), 0);
}

/**
 * The state machine's tables in an image. Bytes are copied both ways: a database shares no memory.
 */
class InstanceStore implements StateStore {
  readonly #live: DiskImage;
  readonly #change: (change: DiskChange) => void;

  constructor(live: DiskImage, change: (change: DiskChange) => void) {
    this.#live = live;
    this.#change = change;
  }

  get(table: TableName, key: Uint8Array): Uint8Array | null {
    return this.#live.tables[table].get(key);
  }

  scan(table: TableName, range: KeyRange, limit: number, reverse = false): Row[] {
    return this.#live.tables[table].scan(range, limit, reverse);
  }

  count(table: TableName, range: KeyRange): number {
    return this.#live.tables[table].count(range);
  }

  put(table: TableName, rows: readonly Row[]): void {
    this.#put(table, rows, false);
  }

  delete(table: TableName, keys: readonly Uint8Array[]): void {
    this.#change({ type: 'delete', table, keys: keys.map(mapKey) });
  }

  clear(table: TableName): void {
    this.#change({ type: 'clear', table });
  }

  sizeBytes(): number {
    let bytes = 0;
    for (const table of Object.values(this.#live.tables)) bytes += table.sizeBytes;
    return bytes;
  }

  stagePut(table: TableName, rows: readonly Row[]): void {
    this.#put(table, rows, true);
  }

  stageClear(): void {
    this.#change({ type: 'stageClear' });
  }

  stageInstall(): void {
    this.#change({ type: 'stageInstall' });
  }

  #put(table: TableName, rows: readonly Row[], staged: boolean): void {
    const copies = rows.map(({ key, value }) => ({ key: mapKey(key), value: value.slice() }));
    this.#change({ type: 'put', table, staged, rows: copies });
  }
}
