import type { SnapshotMeta } from '../raft/message.ts';
import type { HardState, PersistBatch } from '../raft/output.ts';
import type { LogReader } from '../raft/storage.ts';
import type { StateStore } from '../state/store.ts';

/** What the log's rows say when a member starts. */
export interface LoadedLog {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta;
  readonly lastIndex: number;
  readonly commit: number;
  /** The epoch of the last instance; 0 for a new database. */
  readonly epoch: number;
}

/**
 * One member's database. All calls but `sync` are synchronous and join the transaction of the
 * current turn: what is written between two `sync`s becomes durable together or not at all.
 */
export interface MemberDisk extends LogReader {
  readonly state: StateStore;
  load(): LoadedLog;
  /** Writes the first rows of a member of a new cluster: where its log begins. */
  bootstrap(meta: SnapshotMeta): void;
  saveEpoch(epoch: number): void;
  /**
   * Rows of the log and the hard state. A snapshot in it has been staged in `state` and is
   * installed here.
   */
  write(batch: PersistBatch): void;
  /**
   * Looks at a row, so that an instance which another one has replaced ends here: the platform
   * tells it so when it touches its storage.
   */
  touch(): void;
  /** Forgets entries up to and including meta.index, at once or in larger steps. */
  compact(meta: SnapshotMeta): void;
  /**
   * Calls `send`, and lets nothing that it sends leave before everything written so far is durable.
   * When that fails nothing leaves, and the instance ends.
   */
  gate(send: () => void): void;
  /**
   * Calls back when everything written before the call is durable; with an error when that failed
   * (the member then stops).
   */
  sync(done: (error: Error | null) => void): void;
}
