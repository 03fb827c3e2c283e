import type { Entry, MemberId, Message, SnapshotMeta } from './message.ts';

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

/** What must be on disk before a member may speak for it again. */
export interface HardState {
  readonly term: number;
  readonly vote: MemberId | null;
}

/** Rows to write, in one transaction. */
export interface PersistBatch {
  /**
   * To be handed back in `{type: 'persisted'}` once the rows are durable. Rises by one for each
   * batch.
   */
  readonly sequence: number;
  /** Null when unchanged. */
  readonly hardState: HardState | null;
  /**
   * New entries, contiguous. Entries on disk from the first one's index on are replaced by them.
   */
  readonly entries: readonly Entry[];
  /**
   * Install the staged snapshot: replaces state, log and configuration; `entries` (if any) follow
   * it.
   */
  readonly snapshot: { readonly meta: SnapshotMeta; readonly transferId: string } | null;
  /**
   * Commit index known at this moment: a hint saved beside the rows at no cost, never relied on.
   */
  readonly commit: number;
}

/** Why waiting requests cannot be answered now. */
export interface ReadFailure {
  readonly id: number;
  readonly reason: 'noLeader' | 'leaderChanged';
}

/**
 * Everything the runtime must do after one step, in this order: send `sendNow`, write `persist`,
 * apply, and when the rows are durable send `sendAfterPersist` and report `persisted`. The order is
 * the durability contract (DESIGN §3).
 */
export interface Output {
  /**
   * Safe before anything is durable: appends and heartbeats of a leader, reads, forwarded
   * proposals.
   */
  readonly sendNow: readonly Message[];
  /** Null when nothing changed, so that an idle step costs no storage. */
  readonly persist: PersistBatch | null;
  /**
   * Held until `persist` of this output (or, when that is null, of the last output that had one) is
   * durable: vote requests and grants, append acknowledgements.
   */
  readonly sendAfterPersist: readonly Message[];
  /**
   * Committed entries, contiguous, each handed out once per instance, bounded in bytes per output.
   */
  readonly apply: readonly Entry[];
  readonly reads: readonly { readonly id: number; readonly index: number }[];
  readonly readFailures: readonly ReadFailure[];
  /**
   * Proposals of this member that were not taken (no leader, or a transfer is under way), as given.
   */
  readonly dropped: readonly Uint8Array[];
  /** Peers whose next entries are compacted away: move a snapshot to them. */
  readonly snapshotsWanted: readonly MemberId[];
  /** Null when unchanged. */
  readonly softState: SoftState | null;
  /**
   * When to step next with a tick at the latest; null when the member sleeps until something
   * arrives.
   */
  readonly deadlineMs: number | null;
  /** More committed entries wait: step again (with a tick) after applying these. */
  readonly more: boolean;
}

export interface SoftState {
  readonly role: Role;
  readonly leader: MemberId | null;
  readonly term: number;
}
