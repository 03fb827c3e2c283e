import type { Entry, SnapshotMeta } from './message.ts';
import type { HardState } from './output.ts';

/**
 * What the core reads back from disk: the log's older part, when a peer needs it. Synchronous, as
 * the platform's storage is. Writing is the runtime's job, described by `Output.persist`.
 */
export interface LogReader {
  /**
   * Entries in [low, high), at least one, then as many as fit in bytesMax. All are durable and not
   * compacted.
   */
  entries(low: number, high: number, bytesMax: number): readonly Entry[];
  /** The term of a durable entry that is not compacted, or of the compaction point itself. */
  term(index: number): number;
}

/** What a member knows when it starts: read from rows alone. */
export interface InitialState {
  readonly hardState: HardState;
  /**
   * The compaction point: the log holds entries after `snapshot.index`. {index: 0, term: 0} for a
   * new log.
   */
  readonly snapshot: SnapshotMeta;
  readonly lastIndex: number;
  /** A lower bound of what was committed, saved with the last rows. */
  readonly commit: number;
  /**
   * How far the durable state machine has got: committed entries after this are handed out again.
   */
  readonly applied: number;
  /** The configuration as of `applied`, and the entry that made it so; by default `applied`. */
  readonly confState: SnapshotMeta['confState'];
  readonly confIndex?: number;
  /** As of `applied` it was a member, and is none any more; by default it is not so. */
  readonly removed?: boolean;
  /** This instance's number: raised durably before its first message. */
  readonly epoch: number;
}
