import type { EntryKind, MemberId, Message } from './message.ts';

/**
 * One thing that happened to a member. The core is told in order, with the time at which it is
 * told.
 */
export type Input =
  | { readonly type: 'message'; readonly message: Message }
  /** Time passed. Needed when `Output.deadlineMs` is reached; harmless at any time. */
  | { readonly type: 'tick' }
  /**
   * Entries for the log, in order. A follower passes normal ones on to the leader it knows; else
   * they are dropped.
   */
  | { readonly type: 'propose'; readonly proposals: readonly Proposal[] }
  /** A linearizable read (many clients' reads may share one). `id` must rise. */
  | { readonly type: 'read'; readonly id: number }
  /** What `Output.persist` held is durable up to this sequence number. */
  | { readonly type: 'persisted'; readonly sequence: number }
  /**
   * The state machine has applied everything up to here (durably or not; the log keeps what is
   * not).
   */
  | { readonly type: 'applied'; readonly index: number }
  /** The log up to here is no longer needed locally: the state at `index` is durable. */
  | { readonly type: 'compact'; readonly index: number }
  /** The runtime gave up, or finished, moving a snapshot's bytes to a peer. */
  | {
      readonly type: 'snapshotStatus';
      readonly to: MemberId;
      readonly ok: boolean;
      readonly transferId: string;
      readonly index: number;
      readonly term: number;
    }
  /**
   * A message to the peer was lost for certain (refused, connection failed): probe instead of
   * streaming.
   */
  | { readonly type: 'unreachable'; readonly peer: MemberId }
  /**
   * Clients have begun to watch here, or there are none any more. The leader hears of it with what
   * it is answered next, and lets a member where somebody watches wait for nothing (thrift.ts).
   */
  | { readonly type: 'attended'; readonly attended: boolean }
  | { readonly type: 'transferLeadership'; readonly to: MemberId }
  /** Start an election now: for tests and for an operator. */
  | { readonly type: 'campaign' };

export interface Proposal {
  readonly kind: EntryKind;
  readonly data: Uint8Array;
}
