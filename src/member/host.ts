import type { ConfState, MemberId, Message, SnapshotMeta } from '../raft/message.ts';
import type { HardState, PersistBatch } from '../raft/output.ts';
import type { LogReader } from '../raft/storage.ts';
import type { StateStore } from '../state/store.ts';

/** What the log's rows say when a member starts. */
export interface LoadedLog {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta;
  readonly lastIndex: number;
  readonly commit: number;
  /** The epoch of the previous instance; 0 for a new database. */
  readonly epoch: number;
}

/**
 * One member's database. All calls but `sync` are synchronous and join the transaction of the
 * current turn: what is written between two `sync`s becomes durable together or not at all.
 */
export interface MemberDisk extends LogReader {
  readonly state: StateStore;
  load(): LoadedLog;
  /** Writes a new member's first rows: its configuration at index 0. */
  bootstrap(confState: ConfState): void;
  saveEpoch(epoch: number): void;
  /** Rows of the log and the hard state. A snapshot in it has been staged in `state` and is installed here. */
  write(batch: PersistBatch): void;
  /** Forgets entries up to and including meta.index, at once or in larger steps. */
  compact(meta: SnapshotMeta): void;
  /** Calls back when everything written before the call is durable; with an error when that failed (the member then stops). */
  sync(done: (error: Error | null) => void): void;
}

/** The way to the other members. Never throws; what is lost is repaired by the core. */
export interface PeerLinks {
  send(to: MemberId, messages: readonly Message[]): void;
  /** Moves the state as of `meta` to a peer's staging area, then delivers the `snapshot` message to it. */
  sendSnapshot(to: MemberId, source: SnapshotSource): void;
}

/** A consistent picture of the state machine, cut into chunks on demand. */
export interface SnapshotSource {
  readonly meta: SnapshotMeta;
  readonly transferId: string;
  /** The next chunk, or null after the last. At most limits.snapshotChunkBytes and one row. */
  next(): Uint8Array | null;
  /** Lets the store compact again. */
  close(): void;
}

/** The world around a member: real in the Durable Object, simulated in test/sim. */
export interface NodeHost {
  readonly disk: MemberDisk;
  readonly links: PeerLinks;
  /** Milliseconds, never going back within an instance. */
  nowMs(): number;
  /** Milliseconds since 1970, for what is recorded in entries. */
  wallClockMs(): number;
  /** Calls node.tick() at that time (of nowMs), replacing an earlier wish; null: not at all. */
  setAlarm(atMs: number | null): void;
  /** Calls back in a turn of its own, after what is already queued: the batching point. */
  defer(callback: () => void): void;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
  /** The member cannot go on (a broken invariant, a failed write): it stops serving and is restarted from rows. */
  fatal(error: Error): void;
}
