import { assert } from '../lib/assert.ts';
import type { Entry, SnapshotMeta } from '../raft/message.ts';
import type { HardState, PersistBatch } from '../raft/output.ts';
import type { TableName } from '../state/store.ts';
import { LogTable } from './log.ts';
import type { LoadedLog, MemberDisk } from './member_disk.ts';
import { MetaTable } from './meta.ts';
import type { Sql } from './sql.ts';
import { SqlStateStore } from './tables.ts';

const NOTHING: SnapshotMeta = {
  index: 0,
  term: 0,
  confState: { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
};

/** What else the platform's storage offers: an atomic stretch, and word that writes are durable. */
export interface Durability {
  /** Runs the function; undoes its writes when it throws. */
  transactionSync<T>(body: () => T): T;
  sync(): Promise<void>;
}

/** A member's database in a Durable Object's SQLite storage. */
export class SqlDisk implements MemberDisk {
  readonly state: SqlStateStore;
  readonly meta: MetaTable;
  readonly #log: LogTable;
  readonly #durability: Durability;
  #snapshot: SnapshotMeta;

  /** @param tables the state machine's: the storage knows their names only */
  constructor(sql: Sql, durability: Durability, tables: readonly TableName[]) {
    this.#durability = durability;
    this.meta = new MetaTable(sql);
    this.#snapshot = this.#loadJson<SnapshotMeta>('snapshot') ?? NOTHING;
    this.state = new SqlStateStore(sql, this.meta, tables, () => this.#log.bytes);
    this.#log = new LogTable(sql, this.meta, this.#snapshot.index);
  }

  load(): LoadedLog {
    return {
      hardState: this.#loadJson<HardState>('hardState') ?? { term: 0, vote: null },
      snapshot: this.#snapshot,
      lastIndex: this.#log.lastIndex,
      commit: Math.max(this.#log.commit, this.#snapshot.index),
      epoch: this.meta.number('epoch') ?? 0,
    };
  }

  bootstrap(meta: SnapshotMeta): void {
    assert(this.#snapshot.index === 0, 'bootstrap of a member that has state');
    this.#log.reset(meta.index);
    this.#saveSnapshot(meta);
  }

  saveEpoch(epoch: number): void {
    this.meta.set('epoch', epoch);
  }

  write(batch: PersistBatch): void {
    const { hardState, snapshot, entries } = batch;
    const extending = entries[0]?.index === this.#log.lastIndex + 1;
    // The common case is one statement, which is whole or not at all by itself. Anything else is
    // wrapped: a failing statement must not leave half a batch for the implicit transaction.
    if (extending && !hardState && !snapshot) this.#log.append(entries, batch.commit);
    else this.#durability.transactionSync(() => this.#writeAll(batch));
  }

  #writeAll({ hardState, snapshot, entries, commit }: PersistBatch): void {
    if (hardState) this.meta.set('hardState', JSON.stringify(hardState));
    if (snapshot) this.#install(snapshot.meta);
    if (entries.length > 0) this.#log.append(entries, commit);
  }

  touch(): void {
    this.meta.number('epoch');
  }

  compact(meta: SnapshotMeta): void {
    this.#saveSnapshot(meta);
    this.#log.compact(meta.index);
  }

  entries(low: number, high: number, bytesMax: number): readonly Entry[] {
    return this.#log.entries(low, high, bytesMax);
  }

  term(index: number): number {
    return index === this.#snapshot.index ? this.#snapshot.term : this.#log.term(index);
  }

  /**
   * At once: what is sent after a write waits at the platform's output gate until the write is
   * durable, and is dropped with the instance when it fails. (Answers to fetch and to RPC, messages
   * on WebSockets, requests.) An event less than to wait for `sync`.
   */
  gate(send: () => void): void {
    send();
  }

  sync(done: (error: Error | null) => void): void {
    this.#durability.sync().then(
      () => done(null),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    );
  }

  #install(meta: SnapshotMeta): void {
    this.state.stageInstall();
    this.#log.reset(meta.index);
    this.#saveSnapshot(meta);
  }

  #saveSnapshot(meta: SnapshotMeta): void {
    this.#snapshot = meta;
    this.meta.set('snapshot', JSON.stringify(meta));
  }

  #loadJson<T>(name: string): T | null {
    const text = this.meta.text(name);
    return text === null ? null : (JSON.parse(text) as T);
  }
}
