import type { KvHash } from './hash.ts';
import type { SnapshotPlace } from './snapshot.ts';

/** What the state machine shows of itself. */

/** A consistent picture of the state, read while later commands go on. */
export interface OpenSnapshot extends SnapshotPlace {
  /** The next chunk, or null after the last. @throws SnapshotClosedError */
  next(): Uint8Array | null;
  /** Lets compaction go on. */
  close(): void;
}

/** A hash that is being made. */
export interface OpenHash {
  /** A bounded slice of the work; null while more is left. */
  next(): KvHash | null;
  /** Lets compaction go on. */
  close(): void;
}

/** A lease and, when asked for, the keys attached to it. */
export interface LeaseInfo {
  readonly ttl: bigint;
  readonly grantedTtl: bigint;
  readonly keys: readonly Uint8Array[];
}

export interface StateStatus {
  /** Bytes of the state's tables. */
  readonly dbSizeBytes: number;
  /** The same: a page that is freed is gone at once on this platform. */
  readonly dbSizeInUseBytes: number;
  readonly unflushedBytes: number;
  readonly unflushedCommands: number;
  readonly keyCount: number;
  /** Readers of a fixed revision: snapshots and hashes under way. */
  readonly openReads: number;
  /** Versions that compaction has removed since this instance began. */
  readonly compactedVersions: number;
}
