/** Elections: pre-vote, vote, and the protection of a live leader (thesis §3.4, §4.2.3, §9.6). */
import { assert } from '../lib/assert.ts';
import { hasBug } from './bugs.ts';
import { membersOf } from './membership.ts';
import {
  EntryKind,
  type MemberId,
  type TimeoutNow,
  type VoteReply,
  type VoteRequest,
} from './message.ts';
import { quorumVote } from './quorum.ts';
import {
  becomeCandidate,
  becomeFollower,
  becomeLeader,
  becomePreCandidate,
  castVote,
} from './roles.ts';
import {
  armElectionTimer,
  envelope,
  isHardStateDurable,
  isLeader,
  type RaftState,
  stands,
} from './state.ts';

/** Tries to become leader: first asks whether there is a chance (pre-vote), then stands. */
export function campaign(state: RaftState): void {
  if (!mayCampaign(state)) return;
  becomePreCandidate(state);
  state.campaignTransfer = false;
  if (pollResult(state) === 'won') {
    stand(state);
    return;
  }
  requestVotes(state, true);
}

/** The leader asked us to take over: without a pre-vote, and live leaders do not object. */
export function handleTimeoutNow(state: RaftState, message: TimeoutNow): void {
  const stranger = state.leader !== null && state.leader !== message.from;
  if (stranger || !mayCampaign(state)) return;
  state.campaignTransfer = true;
  stand(state);
}

/** Whether a request to vote is turned down because our leader is alive. */
export function protectsLeader(state: RaftState, message: VoteRequest): boolean {
  if (message.transfer || state.leader === null) return false;
  // A leader that asks for votes is a new instance that remembers nothing of its leadership.
  if (message.from === state.leader) return false;
  if (isLeader(state)) return true;
  return state.nowMs - state.leaderHeardMs < state.options.electionTimeoutMs;
}

/**
 * Answers a candidate. The term has been adopted already if that was due. Learners answer too: one
 * may have been promoted without knowing it yet, and its vote may be needed (etcd-io/raft,
 * campaign_learner_must_vote).
 */
export function handleVoteRequest(state: RaftState, message: VoteRequest): void {
  const granted = message.pre ? wouldVote(state, message) : mayVote(state, message);
  if (message.pre) {
    // Nothing durable is promised. A refusal carries our term, so that a higher one spreads.
    const term = granted ? message.term : state.term;
    state.outbox.sendNow({ ...reply(state, message, granted), term });
    return;
  }
  if (granted) {
    castVote(state, message.from);
    armElectionTimer(state);
  }
  sendVoteMessage(state, reply(state, message, granted));
}

/** A refusal that leaves our own term and vote alone. */
export function refuseVote(state: RaftState, message: VoteRequest): void {
  state.outbox.sendNow(reply(state, message, false));
}

export function handleVoteReply(state: RaftState, message: VoteReply): void {
  const mixed =
    message.pre && state.role === 'candidate' && hasBug(state, 'pre-vote-counts-as-vote');
  const polling = message.pre && !mixed ? 'preCandidate' : 'candidate';
  if (state.role !== polling) return;
  const expectedTerm = message.pre && message.granted && !mixed ? state.term + 1 : state.term;
  if (message.term !== expectedTerm) return;
  if (!state.votes.has(message.from)) state.votes.set(message.from, message.granted);
  concludePoll(state);
}

/**
 * Counts the votes. A candidate's own vote counts once it is durable, and nothing is won before.
 */
export function concludePoll(state: RaftState): void {
  const result = pollResult(state);
  if (result === 'pending') return;
  if (result === 'lost') {
    becomeFollower(state, state.term, null);
    return;
  }
  if (state.role === 'preCandidate') stand(state);
  else if (isHardStateDurable(state) || hasBug(state, 'vote-before-persist')) becomeLeader(state);
}

/**
 * Our own term and vote may have become durable: that can decide a poll, at once when we are alone.
 */
export function handleHardStateSaved(state: RaftState): void {
  if (state.role === 'candidate') concludePoll(state);
}

function stand(state: RaftState): void {
  becomeCandidate(state);
  requestVotes(state, false);
}

function mayCampaign(state: RaftState): boolean {
  return !isLeader(state) && stands(state) && !mayMissConfChange(state);
}

/**
 * Committed changes of configuration must be in force before standing in one. They are handed out
 * in bounded portions; what does not fit in one waits, and the timer, which stays due, tries again.
 *
 * Why members may count by what they have applied, where the thesis (§4.1) takes the last change in
 * the log. C(k) is the configuration after change k.
 *  1. Whoever proposes change k+1 has applied k, and what carries k+1, message or row, carries a
 *     commit index that covers k. So a candidate that counts by C(j) holds no change beyond j+1.
 *  2. What follows change k, up to change k+1, is committed by a majority of C(k) (advanceCommit).
 *  3. A majority of C(k) meets every majority of C(k-1), C(k) and C(k+1): a later leader elected by
 *     one of these holds what is committed (thesis §3.6.3).
 *  4. One that counts by a later C(j) has applied it. One that counts by C(j), j < k-1, would by 3
 *     have to hold change j+2, which C(j+1) has committed, and by 1 does not: it is not elected.
 */
function mayMissConfChange(state: RaftState): boolean {
  const { handedOut, commit } = state.log;
  const entries = state.log.slice(handedOut + 1, commit + 1, state.options.applyBytesMax);
  if (handedOut + entries.length < commit) return true;
  return entries.some(({ kind }) => kind === EntryKind.confChange);
}

function pollResult(state: RaftState) {
  return quorumVote(state.config, (id) => state.votes.get(id));
}

function requestVotes(state: RaftState, pre: boolean): void {
  assert(state.role === (pre ? 'preCandidate' : 'candidate'), 'votes are asked for without a poll');
  const { voters, votersOutgoing } = state.config;
  const { lastIndex, lastTerm } = state.log;
  for (const to of membersOf({ ...state.config, learners: [], learnersNext: [] })) {
    if (to === state.id) continue;
    assert(voters.includes(to) || votersOutgoing.includes(to), 'a learner is asked for its vote');
    const transfer = !pre && state.campaignTransfer;
    const request: VoteRequest = {
      ...envelope(state, to),
      type: 'vote',
      pre,
      lastIndex,
      lastTerm,
      transfer,
    };
    if (pre) state.outbox.sendNow({ ...request, term: state.term + 1 });
    else sendVoteMessage(state, request);
  }
}

/** Pre-vote: would we, knowing what we know now? Our vote in the current term does not matter. */
function wouldVote(state: RaftState, message: VoteRequest): boolean {
  if (protectsLeader(state, message)) return false;
  return message.term > state.term && hasAcceptableLog(state, message);
}

function mayVote(state: RaftState, message: VoteRequest): boolean {
  assert(message.term === state.term, 'a vote in another term');
  if (state.role === 'leader') return false;
  if (!hasAcceptableLog(state, message)) return false;
  if (hasBug(state, 'vote-twice-in-term')) return true;
  if (state.vote === null) return state.leader === null;
  return state.vote === message.from;
}

function hasAcceptableLog(state: RaftState, message: VoteRequest): boolean {
  if (hasBug(state, 'vote-ignores-log')) return true;
  return state.log.isUpToDate(message.lastIndex, message.lastTerm);
}

/** Requests and answers of a real vote speak for term and vote on disk: write, then send (L9). */
function sendVoteMessage(state: RaftState, message: VoteRequest | VoteReply): void {
  if (hasBug(state, 'vote-before-persist')) state.outbox.sendNow(message);
  else state.outbox.sendAfterPersist(message);
}

function reply(state: RaftState, message: VoteRequest, granted: boolean): VoteReply {
  const to: MemberId = message.from;
  return { ...envelope(state, to), type: 'voteReply', pre: message.pre, granted };
}
