/** The leader's side of replication: what is sent to whom, and what the answers commit. */
import { assert } from '../lib/assert.ts';
import { hasBug } from './bugs.ts';
import {
  type AppendReply,
  type AppendRequest,
  type ConfState,
  type Entry,
  EntryKind,
  type MemberId,
} from './message.ts';
import type { Progress } from './progress.ts';
import { quorumReached } from './quorum.ts';
import { envelope, isLeader, type RaftState } from './state.ts';
import {
  isCommitPressing,
  isSpared,
  mayOweRound,
  noteOwed,
  planSending,
  rankByPromptness,
  type SendPlan,
} from './thrift.ts';

/** Appends one entry of our term; it is sent when the step ends. */
export function appendEntry(state: RaftState, kind: EntryKind, data: Uint8Array): void {
  assert(isLeader(state), 'only a leader adds to the log');
  const index = state.log.lastIndex + 1;
  state.log.append([{ index, term: state.term, kind, data }]);
}

/**
 * Sends every peer what it may be sent: entries within its window, or a sign of life if one is due.
 */
export function replicate(state: RaftState): void {
  const plan = planSending(state);
  for (const [id, progress] of plan.peers) replicateTo(state, plan, id, progress);
}

/** A peer's answer to an append or a snapshot, of our term. */
export function handleAppendReply(state: RaftState, message: AppendReply): void {
  const progress = state.progress.get(message.from);
  if (progress === undefined) return;
  progress.heardMs = state.nowMs;
  progress.attended = message.attended;
  progress.roundAcked = Math.max(progress.roundAcked, message.round);
  const { log } = state;
  if (message.accepted) {
    assert(message.index <= log.lastIndex, `${message.from} acknowledges what was never sent`);
    progress.accepted(message.index, log.firstIndex);
    return;
  }
  const { hintIndex, hintTerm } = message;
  const resumeAfter = log.lastNotAbove(hintIndex, hintTerm, progress.match);
  progress.refused(message.index, resumeAfter);
}

/** Moves the commit index to what a quorum holds. @returns whether it moved */
export function advanceCommit(state: RaftState): boolean {
  const { log } = state;
  // Our own copy counts only once it is on our disk (thesis §10.2.1).
  const own = hasBug(state, 'leader-counts-unpersisted') ? log.lastIndex : log.durableIndex;
  const index = reachedWith(state, own);
  if (!Number.isFinite(index) || index <= log.commit) return false;
  // An entry of an earlier term may still be replaced although a majority holds it; it is committed
  // by one of our term that follows it (thesis §3.6.2, figure 3.7).
  const ofThisTerm = log.term(index) === state.term;
  if (!ofThisTerm && !hasBug(state, 'commit-earlier-term-by-counting')) return false;
  const reached = withinConfiguration(state, index);
  if (reached <= log.commit) return false;
  log.commitTo(reached);
  rankByPromptness(state, ({ match }) => match >= reached);
  releaseCommitted(state);
  return true;
}

/** What a quorum holds, if the leader's own copy reaches that far. */
function reachedWith(state: RaftState, own: number): number {
  return quorumReached(countedOn(state), (id) =>
    id === state.id ? own : (state.progress.get(id)?.match ?? 0),
  );
}

/** Nothing more can be committed before another member answers, whatever our own disk says. */
export function needsPeers(state: RaftState): boolean {
  return reachedWith(state, state.log.lastIndex) <= state.log.commit;
}

/**
 * Not beyond a change of configuration that is not handed out yet: what follows it is committed by
 * the members after it, or not at all. Of three members one is removed, and the leader and that one
 * hold an entry that follows: counted as before it would be committed, and held by no majority of
 * the two that are left. (Thesis §4.1, where a member uses the last configuration in its log.)
 */
function withinConfiguration({ log, pendingConfIndex, options }: RaftState, index: number): number {
  if (pendingConfIndex <= log.handedOut) return index;
  for (let low = log.handedOut + 1; low <= index; ) {
    const entries = log.slice(low, index + 1, options.applyBytesMax);
    const change = entries.find(({ kind }) => kind === EntryKind.confChange);
    if (change !== undefined) return change.index;
    low += entries.length;
  }
  return index;
}

/** The configuration; other members too when a test wants to see what comes of that. */
function countedOn({ options, config, id }: RaftState): ConfState {
  if (options.bugs === undefined) return config;
  const { voters, learners } = config;
  const isRemoved = !voters.includes(id) && !learners.includes(id);
  if (options.bugs.has('removed-leader-counts-itself') && isRemoved) {
    return { ...config, voters: [...voters, id] };
  }
  const countsLearners = options.bugs.has('learner-counts-as-voter');
  return countsLearners ? { ...config, voters: [...voters, ...learners] } : config;
}

/**
 * Nothing is under way to any peer, and each holds the whole log and knows that it is committed.
 */
export function isFullyReplicated(state: RaftState): boolean {
  const { lastIndex, commit } = state.log;
  if (commit !== lastIndex || state.log.durableIndex !== lastIndex) return false;
  for (const progress of state.progress.values()) {
    if (progress.match !== lastIndex) return false;
  }
  return true;
}

function releaseCommitted(state: RaftState): void {
  let done = 0;
  for (const { lastIndex, bytes } of state.uncommitted) {
    if (lastIndex > state.log.commit) break;
    state.uncommittedBytes -= bytes;
    done++;
  }
  state.uncommitted.splice(0, done);
}

function replicateTo(state: RaftState, plan: SendPlan, id: MemberId, progress: Progress): void {
  answerProposals(state, id, progress);
  noteOwed(state, plan, id, progress);
  if (!isSpared(state, progress)) sendEntries(state, id, progress);
  if (!mayOweRound(state, plan, id, progress)) sendLifeSign(state, id, progress);
  else if (owesCommit(state, progress)) {
    sendAppend(state, id, progress.match, []);
    progress.sent(progress.match, state.nowMs);
  }
}

/** As many as its window takes; each append is a sign of life as well. */
function sendEntries(state: RaftState, id: MemberId, progress: Progress): void {
  const { log } = state;
  const { appendBytesMax, inflightAppendsMax } = state.options;
  while (!progress.isPaused(inflightAppendsMax) && progress.next <= log.lastIndex) {
    const prevIndex = progress.next - 1;
    if (prevIndex < log.compactedIndex) {
      needSnapshot(state, id, progress);
      break;
    }
    const entries = log.slice(progress.next, log.lastIndex + 1, appendBytesMax);
    sendAppend(state, id, prevIndex, entries);
    progress.sent(prevIndex + entries.length, state.nowMs);
  }
  if (progress.next > log.lastIndex) progress.entriesOwedMs = null;
}

/** Tells a peer, once it holds them, that what its clients proposed is committed. */
function answerProposals(state: RaftState, to: MemberId, progress: Progress): void {
  const commit = Math.min(state.log.commit, progress.match);
  if (!progress.proposalOpen || commit < progress.proposedIndex) return;
  progress.proposalOpen = false;
  progress.commitSent = Math.max(progress.commitSent, commit);
  state.outbox.sendNow({ ...envelope(state, to), type: 'commit', commit });
}

/**
 * A commit index that no entries will carry is sent by itself when nothing is under way: a quiet
 * follower is then as fresh as a busy one. It takes a place in the window, so at most one waits.
 */
function owesCommit(state: RaftState, progress: Progress): boolean {
  const dueMs = commitDueMs(state, progress);
  return dueMs !== null && state.nowMs >= dueMs;
}

/**
 * When the peer is to be told of a commit by itself; null when it knows or entries will tell it.
 */
export function commitDueMs(state: RaftState, progress: Progress): number | null {
  const hasAll = progress.next > state.log.lastIndex && progress.inflight === 0;
  const idle = progress.state === 'replicate' && hasAll;
  if (!idle || progress.commitSent >= Math.min(state.log.commit, progress.match)) {
    progress.commitOwedMs = null;
    return null;
  }
  progress.commitOwedMs ??= state.nowMs;
  if (isCommitPressing(state, progress)) return progress.commitOwedMs;
  return progress.commitOwedMs + (state.options.commitDelayMs ?? 0);
}

/**
 * A heartbeat is an append without entries; to a peer with staged bytes it is the order to install.
 */
function sendLifeSign(state: RaftState, id: MemberId, progress: Progress): void {
  if (progress.staged !== null) {
    const { index, term, transferId, confState } = progress.staged;
    const snapshot = { index, term, confState };
    const base = envelope(state, id);
    progress.roundSent = state.round;
    state.outbox.sendNow({ ...base, type: 'snapshot', snapshot, transferId, round: state.round });
    return;
  }
  sendAppend(state, id, lifeSignAnchor(state, id, progress), []);
}

/**
 * What a heartbeat compares. After everything sent, when appends have been unanswered for two
 * intervals: a refusal then shows that they were lost, and replication resumes by probing. Before
 * that, only what is proven, so that a heartbeat that overtakes a large append is not taken for a
 * loss. Index 0 always fits.
 */
function lifeSignAnchor(state: RaftState, id: MemberId, progress: Progress): number {
  if (progress.state === 'snapshot') return 0;
  const oldestMs = progress.oldestInflightMs;
  const patienceMs = 2 * state.options.heartbeatIntervalMs;
  const waits = oldestMs !== null && state.nowMs < oldestMs + patienceMs;
  const anchor = waits ? progress.match : progress.next - 1;
  if (anchor >= state.log.compactedIndex) return anchor;
  // Compacted since it was sent, so that its loss cannot be found out by comparing any more: the
  // window would stay full for ever.
  if (!waits) needSnapshot(state, id, progress);
  return 0;
}

function needSnapshot(state: RaftState, id: MemberId, progress: Progress): void {
  progress.needSnapshot();
  state.outbox.wantSnapshot(id);
}

function sendAppend(
  state: RaftState,
  to: MemberId,
  prevIndex: number,
  entries: readonly Entry[],
): void {
  const { log } = state;
  const progress = state.progress.get(to);
  const lastIndex = prevIndex + entries.length;
  if (progress !== undefined) {
    progress.commitSent = Math.max(progress.commitSent, Math.min(log.commit, lastIndex));
    progress.roundSent = state.round;
  }
  const message: AppendRequest = {
    ...envelope(state, to),
    type: 'append',
    prevIndex,
    prevTerm: prevIndex === 0 ? 0 : log.term(prevIndex),
    entries,
    commit: log.commit,
    round: state.round,
    quiesce: state.quiescent,
  };
  state.outbox.sendNow(message);
}

/** The configuration that was current at an index which is not compacted away. */
export function confStateAt(state: RaftState, index: number): ConfState {
  let current = state.configHistory[0]?.confState ?? state.config;
  for (const entry of state.configHistory) {
    if (entry.index <= index) current = entry.confState;
  }
  return current;
}
