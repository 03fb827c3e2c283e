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
  isPromotable,
  type RaftState,
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
  return !isLeader(state) && isPromotable(state) && !mayMissConfChange(state);
}

/**
 * Committed changes of configuration must be in force before standing in one. They are handed out
 * in bounded portions; what does not fit in one waits, and the timer, which stays due, tries again.
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
  if (wasRemoved(state)) return knowsOfRemoval(state, message);
  return state.log.isUpToDate(message.lastIndex, message.lastTerm);
}

/** Not one that is only about to be a member: what that one holds may be committed by its copy. */
function wasRemoved({ config, configHistory, id }: RaftState): boolean {
  if (membersOf(config).includes(id)) return false;
  return configHistory.some(({ confState }) => membersOf(confState).includes(id));
}

/**
 * Whoever was removed is asked only by those who have not learnt that it is committed, and may need
 * its vote. What it holds beyond the change that removed it must not be held against them:
 *  1. Of A and B, B leads and removes itself; A becomes leader by B's vote and sends it an entry.
 *  2. A crashes before that entry is on its own disk.
 *  3. A needs B's vote again, and B, which cannot stand for election any more, has the longer log.
 * It is safe: entries after the change are committed by members that are left alone (see
 * advanceCommit), and the others that vote are so many that they meet every majority of those. So
 * one who compares its whole log holds whatever was committed since.
 */
function knowsOfRemoval({ log, configHistory }: RaftState, message: VoteRequest): boolean {
  const index = Math.max(configHistory.at(-1)?.index ?? 0, log.compactedIndex);
  const term = log.term(index);
  return message.lastTerm > term || (message.lastTerm === term && message.lastIndex >= index);
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
