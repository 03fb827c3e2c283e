/**
 * The Raft consensus core of one member: a state machine that turns inputs into one output and does
 * nothing else. No clock, no timer, no randomness, no I/O of its own. Each rule has a file; here
 * are only the state and the dispatch.
 */
import { assert, unreachable } from '../lib/assert.ts';
import { campaign, handleHardStateSaved } from './election.ts';
import type { Input } from './input.ts';
import { checkInvariants, watermark } from './invariants.ts';
import type { ConfState, MemberId } from './message.ts';
import type { RaftOptions } from './options.ts';
import type { Output, Role } from './output.ts';
import type { ReplicationState } from './progress.ts';
import { propose } from './propose.ts';
import { wake } from './quiescence.ts';
import { addRead } from './reads.ts';
import { receive } from './receive.ts';
import { pruneConfigHistory } from './reconfigure.ts';
import { confStateAt, needsPeers } from './replication.ts';
import { settle, takeBatch, takeSoftState } from './settle.ts';
import { handleSnapshotStatus } from './snapshots.ts';
import { armElectionTimer, isLeader, type RaftState, startState } from './state.ts';
import type { InitialState, LogReader } from './storage.ts';
import { isCommitPressing, isSpared } from './thrift.ts';
import { deadlineMs, isSoleVoter } from './timers.ts';
import { transferLeadership } from './transfer.ts';

/** What a leader knows of a peer. */
export interface PeerStatus {
  readonly match: number;
  readonly next: number;
  readonly state: ReplicationState;
  readonly inflight: number;
  /** When it last answered in this term; when the leadership began, if it did not. */
  readonly heardMs: number;
}

/** A picture of the core, for operators, tests and the runtime's decisions. */
export interface RaftStatus {
  readonly id: MemberId;
  readonly role: Role;
  readonly term: number;
  readonly vote: MemberId | null;
  readonly leader: MemberId | null;
  readonly epoch: number;
  readonly commit: number;
  readonly applied: number;
  readonly lastIndex: number;
  readonly firstIndex: number;
  /** The log is confirmed on this member's disk up to here. */
  readonly durableIndex: number;
  readonly confState: ConfState;
  readonly quiescent: boolean;
  /** Empty unless leader. */
  readonly progress: ReadonlyMap<MemberId, PeerStatus>;
}

export class Raft {
  readonly #state: RaftState;

  /** A member as its rows describe it. It says nothing before its first step. */
  constructor(options: RaftOptions, initial: InitialState, log: LogReader, nowMs: number) {
    this.#state = startState(options, initial, log, nowMs);
    if (!isSoleVoter(this.#state)) armElectionTimer(this.#state);
  }

  /** All inputs of one turn, in order; one Output for all of them. */
  step(inputs: readonly Input[], nowMs: number): Output {
    const state = this.#state;
    assert(nowMs >= state.nowMs, `time went back from ${state.nowMs} to ${nowMs}`);
    state.nowMs = nowMs;
    const before = watermark(state);
    for (const input of inputs) take(state, input);
    settle(state);
    checkInvariants(state, before);
    const persist = takeBatch(state);
    return state.outbox.take({
      persist,
      softState: takeSoftState(state),
      deadlineMs: deadlineMs(state),
      more: state.log.handedOut < state.log.commit,
    });
  }

  /** Entries of the log are not known to be committed. */
  get hasUncommitted(): boolean {
    return this.#state.log.commit < this.#state.log.lastIndex;
  }

  /**
   * A leader for whom no acknowledgement under way changes anything: all is committed, no read
   * waits, and no peer gets anything more by it. They may wait for the next step.
   */
  get isSettled(): boolean {
    const { role, log, pendingReads, transfer, progress } = this.#state;
    if (role !== 'leader' || log.commit < log.lastIndex) return false;
    if (pendingReads.length > 0 || transfer !== null) return false;
    for (const peer of progress.values()) {
      if (peer.state !== 'replicate' || peer.proposalOpen) return false;
      if (peer.next <= log.lastIndex && !isSpared(this.#state, peer)) return false;
      if (peer.commitSent < log.commit && isCommitPressing(this.#state, peer)) return false;
    }
    return true;
  }

  /** A leader that can commit nothing before a peer answers: word of its own disk may wait. */
  get needsPeers(): boolean {
    const { log } = this.#state;
    return isLeader(this.#state) && log.commit < log.lastIndex && needsPeers(this.#state);
  }

  /** The configuration that was current at an index which is applied and not compacted away. */
  confStateAt(index: number): ConfState {
    return confStateAt(this.#state, index);
  }

  get status(): RaftStatus {
    const { id, role, term, vote, leader, epoch, log, config, quiescent } = this.#state;
    const progress = new Map<MemberId, PeerStatus>();
    for (const [peer, { match, next, state, inflight, heardMs }] of this.#state.progress) {
      progress.set(peer, { match, next, state, inflight, heardMs });
    }
    return {
      id,
      role,
      term,
      vote,
      leader,
      epoch,
      commit: log.commit,
      applied: log.applied,
      lastIndex: log.lastIndex,
      firstIndex: log.firstIndex,
      durableIndex: log.durableIndex,
      confState: config,
      quiescent,
      progress,
    };
  }
}

function take(state: RaftState, input: Input): void {
  switch (input.type) {
    case 'message':
      return receive(state, input.message);
    case 'tick':
      return; // Every step looks at the clock; this one has no other reason.
    case 'propose':
      wake(state);
      return propose(state, input.proposals);
    case 'read':
      wake(state);
      return addRead(state, input.id);
    case 'persisted':
      return confirmSaved(state, input.sequence);
    case 'applied':
      return state.log.appliedTo(input.index);
    case 'compact':
      state.log.compactTo(input.index);
      return pruneConfigHistory(state);
    case 'snapshotStatus':
      return handleSnapshotStatus(state, input);
    case 'unreachable':
      return handleUnreachable(state, input.peer);
    case 'attended':
      state.attended = input.attended;
      return;
    case 'transferLeadership':
      wake(state);
      return transferLeadership(state, input.to);
    case 'campaign':
      wake(state);
      return campaign(state);
    default:
      return unreachable(input);
  }
}

function confirmSaved(state: RaftState, sequence: number): void {
  assert(sequence <= state.batchSequence, `batch ${sequence} was never handed out`);
  state.confirmedSequence = Math.max(state.confirmedSequence, sequence);
  state.log.confirmSaved(sequence);
  handleHardStateSaved(state);
}

/** What is under way to the peer is lost; it is asked where it stands before more is sent. */
function handleUnreachable(state: RaftState, peer: MemberId): void {
  const progress = state.progress.get(peer);
  if (progress?.state === 'replicate') progress.probe();
}
