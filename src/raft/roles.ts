/** Changes of role. Thesis figure 3.3, with the pre-candidate of §9.6. */
import { assert } from '../lib/assert.ts';
import { EMPTY_BYTES } from '../lib/bytes.ts';
import { hasBug } from './bugs.ts';
import { isVoter, membersOf } from './membership.ts';
import { EntryKind, type MemberId } from './message.ts';
import { Progress } from './progress.ts';
import { adoptWaitingReads, failPendingReads, startRound } from './reads.ts';
import { armElectionTimer, isHardStateDurable, isLeader, type RaftState } from './state.ts';

/** Follows `leader` (null: whoever wins next) in `term`, which is this or a later one. */
export function becomeFollower(state: RaftState, term: number, leader: MemberId | null): void {
  assert(term >= state.term, `term would fall from ${state.term} to ${term}`);
  const wasLeader = isLeader(state);
  if (term > state.term) {
    state.term = term;
    state.vote = null;
  }
  if (wasLeader) leaveLeadership(state);
  state.role = 'follower';
  state.leader = leader;
  state.votes.clear();
  state.quiescent = false;
  if (leader !== null) state.leaderHeardMs = state.nowMs;
  // A higher term alone does not postpone our own election: only a leader's word or our own vote
  // do.
  if (wasLeader || leader !== null) armElectionTimer(state);
}

/** Asks for support without touching anything durable. */
export function becomePreCandidate(state: RaftState): void {
  assert(!isLeader(state), 'a leader does not campaign');
  state.role = 'preCandidate';
  state.leader = null;
  state.quiescent = false;
  startPoll(state);
}

/** A new term with the vote for ourselves, which must be durable before it counts. */
export function becomeCandidate(state: RaftState): void {
  assert(!isLeader(state), 'a leader does not campaign');
  state.role = 'candidate';
  state.leader = null;
  state.quiescent = false;
  state.term++;
  state.vote = null;
  castVote(state, state.id);
  startPoll(state);
}

/**
 * Takes over: an empty entry opens the term, because only entries of it may be counted (§3.6.2).
 */
export function becomeLeader(state: RaftState): void {
  assert(state.role === 'candidate', 'only a candidate becomes leader');
  assert(state.vote === state.id, 'a leader has voted for itself');
  assert(
    isHardStateDurable(state) || hasBug(state, 'vote-before-persist'),
    'a leader speaks for a term that a crash could make it forget',
  );
  state.role = 'leader';
  state.leader = state.id;
  state.votes.clear();
  state.busyMs = state.nowMs;
  const { log } = state;
  for (const id of membersOf(state.config)) {
    if (id !== state.id) state.progress.set(id, new Progress(log.lastIndex + 1, state.nowMs));
  }
  // Any entry up to here may be a change of configuration that is not handed out yet (M2).
  state.pendingConfIndex = log.lastIndex;
  const index = log.lastIndex + 1;
  log.append([{ index, term: state.term, kind: EntryKind.normal, data: EMPTY_BYTES }]);
  adoptWaitingReads(state);
  startRound(state);
}

/** At most one vote in a term (E2). */
export function castVote(state: RaftState, candidate: MemberId): void {
  assert(
    state.vote === null || state.vote === candidate || hasBug(state, 'vote-twice-in-term'),
    `second vote in term ${state.term}: ${candidate} after ${state.vote}`,
  );
  state.vote = candidate;
}

/**
 * The leader is no longer known, and nothing can be done about it here: learners do not campaign.
 */
export function forgetLeader(state: RaftState): void {
  assert(!isVoter(state.config, state.id), 'a voter campaigns instead');
  state.leader = null;
}

function startPoll(state: RaftState): void {
  state.votes.clear();
  state.votes.set(state.id, true);
  armElectionTimer(state);
}

function leaveLeadership(state: RaftState): void {
  failPendingReads(state);
  state.progress.clear();
  state.transfer = null;
  state.stalledCommit = null;
  state.roundDueMs = null;
  state.uncommitted = [];
  state.uncommittedBytes = 0;
}
