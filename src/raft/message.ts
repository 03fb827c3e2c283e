/**
 * What the members of one consensus group say to each other. Plain data: the transport encodes it,
 * the simulator drops, delays and repeats it.
 */

/**
 * A member's id: 16 lower-case hexadecimal digits (an unsigned 64-bit integer), so that string
 * order is id order.
 */
export type MemberId = string;

/** What an entry is for. The core looks only into configuration changes. */
export const EntryKind = { normal: 0, confChange: 1 } as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

/**
 * One place in the replicated log. `data` is opaque here; empty for the entry that opens a term.
 */
export interface Entry {
  readonly index: number;
  readonly term: number;
  readonly kind: EntryKind;
  readonly data: Uint8Array;
}

/**
 * A voting configuration. While `votersOutgoing` is not empty both halves must agree (thesis §4.3).
 */
export interface ConfState {
  readonly voters: readonly MemberId[];
  readonly votersOutgoing: readonly MemberId[];
  readonly learners: readonly MemberId[];
  /** Learners that become so when the joint phase ends: they are voters of the outgoing half. */
  readonly learnersNext: readonly MemberId[];
  /** The leader leaves the joint phase by itself. */
  readonly autoLeave: boolean;
}

/**
 * Names the state after applying `index`: what a snapshot holds, and what a compacted log starts
 * from.
 */
export interface SnapshotMeta {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

interface Envelope {
  readonly from: MemberId;
  readonly to: MemberId;
  readonly term: number;
  /**
   * The instance of the sender. The platform may leave a superseded instance of an object running
   * for a while; everything that carries an epoch below the highest seen from that member is
   * dropped.
   */
  readonly epoch: number;
}

/** Entries after (prevIndex, prevTerm); without entries a heartbeat or a probe. Thesis §3.5. */
export interface AppendRequest extends Envelope {
  readonly type: 'append';
  readonly prevIndex: number;
  readonly prevTerm: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
  /**
   * Rises with every broadcast of a leader. An answer confirms reads that arrived before this round
   * was sent.
   */
  readonly round: number;
  /**
   * The leader is about to fall silent because nothing is pending; the follower stops its election
   * timer.
   */
  readonly quiesce: boolean;
}

export interface AppendReply extends Envelope {
  readonly type: 'appendReply';
  readonly round: number;
  readonly accepted: boolean;
  /**
   * Accepted: the last index known to be equal to the leader's log, durable. Refused: the prevIndex
   * that did not fit.
   */
  readonly index: number;
  /** Refused: where the logs may still agree (fast repair by term, thesis §3.5 end). */
  readonly hintIndex: number;
  readonly hintTerm: number;
  /** Clients watch at the sender: it wants to know of commits as soon as there are any. */
  readonly attended: boolean;
}

export interface VoteRequest extends Envelope {
  readonly type: 'vote';
  /** A pre-vote: would you vote for me in `term`? Changes nothing durable (thesis §9.6). */
  readonly pre: boolean;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /**
   * The leader asked for this election: the refusal while a leader is live does not apply (thesis
   * §3.10).
   */
  readonly transfer: boolean;
}

export interface VoteReply extends Envelope {
  readonly type: 'voteReply';
  readonly pre: boolean;
  readonly granted: boolean;
}

/** Start an election now: leadership is being handed over. */
export interface TimeoutNow extends Envelope {
  readonly type: 'timeoutNow';
}

/**
 * The state named by `snapshot` has been staged at the receiver (the bytes travel apart, in bounded
 * chunks) and may be installed. `transferId` names the staged bytes.
 */
export interface InstallSnapshot extends Envelope {
  readonly type: 'snapshot';
  readonly snapshot: SnapshotMeta;
  readonly transferId: string;
  readonly round: number;
}

/**
 * A member asks the leader for a read index. `id` rises with each request of one instance of a
 * member.
 */
export interface ReadRequest extends Envelope {
  readonly type: 'read';
  readonly id: number;
}

export interface ReadReply extends Envelope {
  readonly type: 'readReply';
  readonly id: number;
  /** Null: not confirmed (not the leader, or no entry of its own term committed yet); ask again. */
  readonly index: number | null;
}

/** Proposals of clients of another member, in order. Dropped unless the receiver is the leader. */
export interface ProposeRequest extends Envelope {
  readonly type: 'propose';
  readonly proposals: readonly Uint8Array[];
}

/**
 * A leader's word on proposals that came through the receiver: they are committed, as is all of
 * its log up to `commit`, which the leader knows to be equal to its own. Spares the append and the
 * acknowledgement that would tell the receiver's clients; a heartbeat of etcd-io/raft says as much.
 */
export interface CommitNotice extends Envelope {
  readonly type: 'commit';
  readonly commit: number;
}

/** A member asks the leader to hand leadership to `transferee`. */
export interface TransferRequest extends Envelope {
  readonly type: 'transfer';
  readonly transferee: MemberId;
}

export type Message =
  | AppendRequest
  | AppendReply
  | VoteRequest
  | VoteReply
  | TimeoutNow
  | InstallSnapshot
  | ReadRequest
  | ReadReply
  | ProposeRequest
  | CommitNotice
  | TransferRequest;
