/** One member's consensus state, shared by the files that each hold one of its rules. */
import { assert } from '../lib/assert.ts';
import { RaftLog } from './log.ts';
import { confStateFault, isVoter, membersOf } from './membership.ts';
import type { ConfState, MemberId } from './message.ts';
import type { RaftOptions } from './options.ts';
import { Outbox } from './outbox.ts';
import type { HardState, Role, SoftState } from './output.ts';
import type { Progress } from './progress.ts';
import type { InitialState, LogReader } from './storage.ts';

/** A read that waits at the leader. */
export interface PendingRead {
  /** Null: one of our own. */
  readonly from: MemberId | null;
  readonly id: number;
  /** The round whose answers confirm it; null while none was started since it arrived. */
  round: number | null;
  index: number;
}

/** A read of our own that needs a leader's answer. */
export interface WaitingRead {
  readonly id: number;
  readonly sinceMs: number;
}

/** Reads asked of a leader under one id. */
export interface ForwardedReads {
  readonly wireId: number;
  readonly leader: MemberId;
  readonly term: number;
  readonly reads: readonly WaitingRead[];
  sentMs: number;
}

/** Leadership is being handed over; proposals are refused meanwhile. */
export interface Transfer {
  readonly to: MemberId;
  readonly deadlineMs: number;
  timeoutNowSent: boolean;
}

/** A configuration and the index that made it current. */
export interface ConfigAt {
  readonly index: number;
  readonly confState: ConfState;
}

export interface RaftState {
  readonly options: RaftOptions;
  readonly id: MemberId;
  readonly epoch: number;
  readonly log: RaftLog;
  readonly outbox: Outbox;
  nowMs: number;

  term: number;
  vote: MemberId | null;
  role: Role;
  leader: MemberId | null;

  /** Batches: the last handed out, the last confirmed, and the last that held a term or vote. */
  batchSequence: number;
  confirmedSequence: number;
  hardStateSequence: number;
  hardStateSaved: HardState;
  softStateTold: SoftState | null;

  config: ConfState;
  /** It was a member, and has applied that it is none any more. */
  removed: boolean;
  /** Configurations since the compaction point: a snapshot in between is sent with its own. */
  configHistory: ConfigAt[];
  /** No change may be proposed before the entry here is handed out (M2). */
  pendingConfIndex: number;

  /** The highest epoch seen from each member (P1). */
  readonly epochs: Map<MemberId, number>;

  /** Clients watch here: whoever leads is told so. */
  attended: boolean;

  /** Answers of the poll under way. */
  readonly votes: Map<MemberId, boolean>;
  /** The poll is for a hand-over: live leaders do not protect themselves against it. */
  campaignTransfer: boolean;
  electionDeadlineMs: number;
  /** The last index known to equal the log of the leader of `term`. */
  verified: { readonly term: number; readonly index: number };
  /** When the current leader was last heard. */
  leaderHeardMs: number;

  /** Leader only: one for each peer. */
  readonly progress: Map<MemberId, Progress>;
  heartbeatDueMs: number;
  /**
   * Rises with every round, never falls within an instance: late answers cannot confirm new
   * reads.
   */
  round: number;
  /** Entries wait to be committed, and it has been this index since then. */
  stalledCommit: { readonly index: number; readonly sinceMs: number } | null;
  /** When whoever was not sent the round yet is to be; null: a quorum has answered it. */
  roundDueMs: number | null;
  transfer: Transfer | null;
  uncommitted: { readonly lastIndex: number; readonly bytes: number }[];
  uncommittedBytes: number;

  pendingReads: PendingRead[];
  waitingReads: WaitingRead[];
  forwardedReads: ForwardedReads[];
  lastWireId: number;

  quiescent: boolean;
  /** When there was last something to do. */
  busyMs: number;
}

/** What a member is when it starts: a follower that knows of no leader. */
export function startState(
  options: RaftOptions,
  initial: InitialState,
  reader: LogReader,
  nowMs: number,
): RaftState {
  const fault = confStateFault(initial.confState);
  assert(fault === null, `initial configuration: ${fault}`);
  checkOptions(options);
  const { hardState, confState } = initial;
  return {
    options,
    id: options.id,
    epoch: initial.epoch,
    log: new RaftLog(options, initial, reader),
    outbox: new Outbox(),
    nowMs,
    term: hardState.term,
    vote: hardState.vote,
    role: 'follower',
    leader: null,
    batchSequence: 0,
    confirmedSequence: 0,
    hardStateSequence: 0,
    hardStateSaved: hardState,
    softStateTold: null,
    config: confState,
    removed: initial.removed ?? false,
    configHistory: [
      { index: initial.snapshot.index, confState: initial.snapshot.confState },
      { index: initial.confIndex ?? initial.applied, confState },
    ],
    pendingConfIndex: 0,
    epochs: new Map(),
    attended: false,
    votes: new Map(),
    campaignTransfer: false,
    electionDeadlineMs: nowMs,
    verified: { term: 0, index: 0 },
    leaderHeardMs: nowMs,
    progress: new Map(),
    heartbeatDueMs: nowMs,
    round: 0,
    stalledCommit: null,
    roundDueMs: null,
    transfer: null,
    uncommitted: [],
    uncommittedBytes: 0,
    pendingReads: [],
    waitingReads: [],
    forwardedReads: [],
    // Ids of an earlier instance must not come back: a late answer to one of those would confirm a
    // read that began after it. The epoch is the high part, so ids rise across instances too.
    lastWireId: initial.epoch * 2 ** 32,
    quiescent: false,
    busyMs: nowMs,
  };
}

function checkOptions(options: RaftOptions): void {
  const { heartbeatIntervalMs, electionTimeoutMs, inflightAppendsMax } = options;
  assert(heartbeatIntervalMs > 0, 'the heartbeat interval is positive');
  assert(
    electionTimeoutMs > heartbeatIntervalMs,
    'a heartbeat must arrive within an election timeout',
  );
  assert(inflightAppendsMax >= 1, 'the window holds at least one append');
}

/** The fields every message carries. */
export function envelope(
  state: RaftState,
  to: MemberId,
): { from: MemberId; to: MemberId; term: number; epoch: number } {
  return { from: state.id, to, term: state.term, epoch: state.epoch };
}

export function isLeader(state: RaftState): boolean {
  return state.role === 'leader';
}

/** Whether this member may stay leader: it votes in one of the halves. */
export function isPromotable(state: RaftState): boolean {
  return isVoter(state.config, state.id);
}

/**
 * Whether this member stands for election. One that was removed does, too: it asks those that are
 * left, and does not count itself (thesis §4.2.2). Nobody else may hold what they need to go on:
 *  1. Of A and B, B leads and removes itself; A becomes leader by B's vote and sends it an entry.
 *  2. A crashes before that entry is on its own disk. It does not know that the removal is
 *     committed, so that it needs B's vote again; and B's log is the longer one.
 *  3. B is elected by A's vote, brings A what it lacks, and hands over.
 * It stops for good when a voter that is left knows of the removal and says so.
 */
export function stands(state: RaftState): boolean {
  return isPromotable(state) || (state.removed && state.config.voters.length > 0);
}

/** A configuration takes the place of the one before. */
export function enterConfig(state: RaftState, config: ConfState): void {
  const wasMember = state.removed || membersOf(state.config).includes(state.id);
  state.config = config;
  state.removed = wasMember && !membersOf(config).includes(state.id);
}

/** Term and vote as they are now are on disk: the member may speak for them. */
export function isHardStateDurable(state: RaftState): boolean {
  const { term, vote } = state.hardStateSaved;
  const saved = term === state.term && vote === state.vote;
  return saved && state.confirmedSequence >= state.hardStateSequence;
}

/**
 * The entry at the commit index is of this term: then everything committed before is known (R2).
 */
export function hasCommittedInTerm(state: RaftState): boolean {
  return state.log.term(state.log.commit) === state.term;
}

/**
 * Draws a new timeout in [T, 2T) for each attempt, so that split votes do not repeat (thesis §3.4).
 */
export function armElectionTimer(state: RaftState): void {
  const { electionTimeoutMs, prng } = state.options;
  const jitterMs = Math.floor(prng.next() * electionTimeoutMs);
  state.electionDeadlineMs = state.nowMs + electionTimeoutMs + jitterMs;
}

/** The log equals that of the leader of our term up to here. */
export function verifiedIndex({ term, verified }: RaftState): number {
  return verified.term === term ? verified.index : 0;
}

/**
 * A commit index of our leader, in our term, by whatever way it came: what we hold of its log up to
 * there is committed, and need not wait for the append that says so.
 */
export function learnCommit(state: RaftState, index: number): void {
  state.log.commitTo(Math.min(index, verifiedIndex(state)));
}
