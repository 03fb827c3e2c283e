import { assert, must } from '../../src/lib/assert.ts';
import type { LoadedLog } from '../../src/member/host.ts';
import type { ConfState, Entry, SnapshotMeta } from '../../src/raft/message.ts';
import type { HardState, PersistBatch } from '../../src/raft/output.ts';
import { TABLES, type TableName } from '../../src/state/store.ts';
import { OrderedTable } from './ordered_table.ts';

/** One change of a member's database, as it is written and, later, as it becomes durable. */
export type DiskChange =
  | { readonly type: 'bootstrap'; readonly meta: SnapshotMeta }
  | { readonly type: 'epoch'; readonly epoch: number }
  | { readonly type: 'batch'; readonly batch: PersistBatch }
  | { readonly type: 'compact'; readonly meta: SnapshotMeta }
  | {
      readonly type: 'put';
      readonly table: TableName;
      readonly staged: boolean;
      readonly rows: readonly { readonly key: string; readonly value: Uint8Array }[];
    }
  | { readonly type: 'delete'; readonly table: TableName; readonly keys: readonly string[] }
  | { readonly type: 'clear'; readonly table: TableName }
  | { readonly type: 'stageClear' }
  | { readonly type: 'stageInstall' };

type Tables = Record<TableName, OrderedTable>;

const NO_CONFIGURATION: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

/**
 * What a member's database holds at one moment. Every member has two: the durable image, which a
 * crash leaves, and the live image of its instance, which is ahead of it by what is not yet synced.
 */
export class DiskImage {
  hardState: HardState = { term: 0, vote: null };
  snapshot: SnapshotMeta = { index: 0, term: 0, confState: NO_CONFIGURATION };
  epoch = 0;
  commitHint = 0;
  tables: Tables = emptyTables();
  #staged: Tables = emptyTables();
  /** Entries after the compaction point. */
  #log: Entry[] = [];

  clone(): DiskImage {
    const copy = new DiskImage();
    copy.hardState = this.hardState;
    copy.snapshot = this.snapshot;
    copy.epoch = this.epoch;
    copy.commitHint = this.commitHint;
    copy.tables = copyTables(this.tables);
    copy.#staged = copyTables(this.#staged);
    copy.#log = this.#log.slice();
    return copy;
  }

  get lastIndex(): number {
    return this.snapshot.index + this.#log.length;
  }

  load(): LoadedLog {
    return {
      hardState: this.hardState,
      snapshot: this.snapshot,
      lastIndex: this.lastIndex,
      commit: Math.max(this.commitHint, this.snapshot.index),
      epoch: this.epoch,
    };
  }

  /** The entry, or null when it is compacted away or not there yet. */
  entry(index: number): Entry | null {
    return this.#log[index - this.snapshot.index - 1] ?? null;
  }

  /** The term of the entry or of the compaction point; null when unknown here. */
  termAt(index: number): number | null {
    if (index === this.snapshot.index) return this.snapshot.term;
    return this.entry(index)?.term ?? null;
  }

  apply(change: DiskChange): void {
    switch (change.type) {
      case 'bootstrap':
        this.snapshot = change.meta;
        return;
      case 'epoch':
        this.epoch = change.epoch;
        return;
      case 'batch':
        return this.#applyBatch(change.batch);
      case 'compact':
        return this.#compact(change.meta);
      case 'put': {
        const table = (change.staged ? this.#staged : this.tables)[change.table];
        for (const { key, value } of change.rows) table.put(key, value);
        return;
      }
      case 'delete':
        for (const key of change.keys) this.tables[change.table].delete(key);
        return;
      case 'clear':
        this.tables[change.table] = new OrderedTable();
        return;
      case 'stageClear':
        this.#staged = emptyTables();
        return;
      case 'stageInstall':
        this.tables = this.#staged;
        this.#staged = emptyTables();
    }
  }

  #applyBatch(batch: PersistBatch): void {
    if (batch.hardState !== null) this.hardState = batch.hardState;
    if (batch.snapshot !== null) {
      this.apply({ type: 'stageInstall' });
      this.snapshot = batch.snapshot.meta;
      this.#log = [];
    }
    const first = batch.entries[0];
    if (first === undefined) return;
    assert(first.index > this.snapshot.index, 'an entry below the compaction point is written');
    assert(first.index <= this.lastIndex + 1, `the log gets a hole before ${first.index}`);
    this.#log.length = first.index - this.snapshot.index - 1;
    for (const entry of batch.entries) {
      assert(entry.index === this.lastIndex + 1, `entries are not contiguous at ${entry.index}`);
      this.#log.push(entry);
    }
    this.commitHint = batch.commit;
  }

  #compact(meta: SnapshotMeta): void {
    assert(meta.index <= this.lastIndex, 'compaction beyond the log');
    const dropped = meta.index - this.snapshot.index;
    assert(dropped >= 0, 'compaction goes back');
    const term = must(this.termAt(meta.index), 'compaction at an unknown entry');
    assert(term === meta.term, 'compaction names a wrong term');
    this.#log = this.#log.slice(dropped);
    this.snapshot = meta;
  }
}

function emptyTables(): Tables {
  return mapTables(() => new OrderedTable());
}

function copyTables(tables: Tables): Tables {
  return mapTables((name) => new OrderedTable(tables[name]));
}

function mapTables(make: (name: TableName) => OrderedTable): Tables {
  return Object.fromEntries(TABLES.map((name) => [name, make(name)])) as Tables;
}
