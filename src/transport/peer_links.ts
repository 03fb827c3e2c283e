import type { MemberId, Message, SnapshotMeta } from '../raft/message.ts';

/** The way to the other members. Never throws; what is lost is repaired by the core. */
export interface PeerLinks {
  send(to: MemberId, messages: readonly Message[]): void;
  /**
   * Moves the state as of `meta` to a peer's staging area, then delivers the `snapshot` message to
   * it.
   */
  sendSnapshot(to: MemberId, source: SnapshotSource): void;
}

/** A consistent picture of the state machine, cut into chunks on demand. */
export interface SnapshotSource {
  readonly meta: SnapshotMeta;
  readonly transferId: string;
  /**
   * The next chunk, or null after the last. At most limits.snapshotChunkBytes and one row.
   * @throws when the sender has installed a snapshot itself: the transfer has failed
   */
  next(): Uint8Array | null;
  /** Lets the store compact again. */
  close(): void;
}
