/**
 * Thrift: what a leader has to say goes first to as many peers as make a quorum with it, and to the
 * others a little later, if it still has to be said. A read round that a quorum has answered is
 * nobody else's business, and entries that come one by one reach the rest several at a time. Each
 * message costs both ends an event, and entries a commit as well.
 *
 * It changes neither what is safe nor what is counted, only when it is sent (the "thrifty" option
 * of the Paxos family: Moraru et al., EPaxos, §6.2). A peer that does not answer costs the delay,
 * once: the next quorum is asked of those who answered instead.
 */
import { isVoter } from './membership.ts';
import type { MemberId } from './message.ts';
import type { Progress } from './progress.ts';
import { quorumReached } from './quorum.ts';
import type { RaftState } from './state.ts';

const DUE = Number.NEGATIVE_INFINITY;

/** Peers in the order in which they are to be sent to, and how many of them make a quorum. */
export interface SendPlan {
  readonly peers: readonly (readonly [MemberId, Progress])[];
  /** Null: nobody is spared. */
  readonly quorum: ReadonlySet<MemberId> | null;
}

/**
 * First those whose clients wait: they cannot be answered before that member holds the entries. (On
 * a machine with few processors the first one runs before the second has heard anything.) Then
 * those who are known to answer soon.
 */
export function planSending(state: RaftState): SendPlan {
  watchCommit(state);
  const peers = [...state.progress];
  if (peers.length > 1) peers.sort(([, a], [, b]) => urgency(b) - urgency(a));
  const isOwed = ({ next, roundSent }: Progress) =>
    next <= state.log.lastIndex || roundSent < state.round;
  const spares = thriftDelayMs(state) > 0 && peers.some(([, progress]) => isOwed(progress));
  return { peers, quorum: spares ? quorumOf(state, peers) : null };
}

/** Writes down since when the peer is owed entries, if it is. */
export function noteOwed(
  state: RaftState,
  { quorum }: SendPlan,
  id: MemberId,
  progress: Progress,
): void {
  if (progress.next > state.log.lastIndex) {
    progress.entriesOwedMs = null;
    return;
  }
  const isNeeded = quorum === null || quorum.has(id) || progress.state !== 'replicate';
  const isAwaited = progress.isAwaiting || state.transfer?.to === id;
  const cannotWait = isAwaited || isPressing(state, progress, progress.next);
  // What does not fit in its window is due as soon as it does.
  if (isNeeded || cannotWait || areMany(state)) progress.entriesOwedMs = DUE;
  else progress.entriesOwedMs ??= state.nowMs;
}

/**
 * What the peer does not know from `index` on is news for somebody: clients who watch there, or
 * itself, because it is about who the members are.
 */
function isPressing(state: RaftState, { attended }: Progress, index: number): boolean {
  return attended || index <= state.pendingConfIndex;
}

/** The same of a commit that the peer was not told of. */
export function isCommitPressing(state: RaftState, progress: Progress): boolean {
  return isPressing(state, progress, progress.commitSent + 1);
}

/** The round need not be said to this peer, or not yet. */
export function mayOweRound(
  state: RaftState,
  { quorum }: SendPlan,
  id: MemberId,
  progress: Progress,
): boolean {
  if (progress.roundSent >= state.round || state.roundDueMs === null) return true;
  return state.nowMs < state.roundDueMs && quorum !== null && !quorum.has(id);
}

/** When peers that were spared are to be sent what they are owed. */
export function thriftDeadlineMs(state: RaftState): number {
  let deadline = Number.POSITIVE_INFINITY;
  const consider = (atMs: number) => {
    if (atMs > state.nowMs) deadline = Math.min(deadline, atMs);
  };
  for (const { entriesOwedMs, roundSent } of state.progress.values()) {
    if (entriesOwedMs !== null && entriesOwedMs !== DUE) {
      consider(entriesOwedMs + patienceMs(state));
      consider(helpDueMs(state));
    }
    if (roundSent < state.round && state.roundDueMs !== null) consider(state.roundDueMs);
  }
  return deadline;
}

/**
 * It is owed entries that it will be sent when it is time: when those who are to commit them keep
 * everybody waiting, or else as late as it may hear of a commit. Not together with entries that the
 * others are about to write, if it can be helped: each makes the other late.
 */
export function isSpared(state: RaftState, { entriesOwedMs }: Progress): boolean {
  if (entriesOwedMs === null || state.nowMs >= helpDueMs(state)) return false;
  const isBusy = state.log.unsavedCount > 0;
  return state.nowMs < entriesOwedMs + patienceMs(state) * (isBusy ? 2 : 1);
}

function helpDueMs(state: RaftState): number {
  return (state.stalledCommit?.sinceMs ?? Number.POSITIVE_INFINITY) + thriftDelayMs(state);
}

function patienceMs(state: RaftState): number {
  return Math.max(thriftDelayMs(state), state.options.commitDelayMs ?? 0);
}

function watchCommit(state: RaftState): void {
  const { commit, lastIndex } = state.log;
  if (commit === lastIndex) state.stalledCommit = null;
  else if (state.stalledCommit?.index !== commit) {
    state.stalledCommit = { index: commit, sinceMs: state.nowMs };
  }
}

/** A quorum is complete: it was these who made it so. */
export function rankByPromptness(
  state: RaftState,
  answered: (progress: Progress) => boolean,
): void {
  for (const progress of state.progress.values()) progress.isPrompt = answered(progress);
}

/** How long a quorum may take before others are troubled. */
export function thriftDelayMs({ options }: RaftState): number {
  return options.thriftDelayMs ?? 0;
}

function urgency(progress: Progress): number {
  return Number(progress.proposalOpen) * 2 + Number(progress.isPrompt);
}

function areMany({ log, options }: RaftState): boolean {
  return log.unsavedCount > (options.thriftBatchMax ?? Number.POSITIVE_INFINITY);
}

/** Not to be waited for: it has been owing an answer for longer than others are spared. */
function isSlow(state: RaftState, progress: Progress): boolean {
  const { oldestInflightMs } = progress;
  if (progress.state !== 'replicate') return true;
  return oldestInflightMs !== null && state.nowMs >= oldestInflightMs + thriftDelayMs(state);
}

function quorumOf(state: RaftState, peers: SendPlan['peers']): SendPlan['quorum'] {
  const chosen = new Set([state.id]);
  for (const [id, progress] of peers) {
    if (isSlow(state, progress) || !isVoter(state.config, id)) continue;
    chosen.add(id);
    if (quorumReached(state.config, (voter) => Number(chosen.has(voter))) >= 1) return chosen;
  }
  return null;
}
