/** The follower's side of replication (thesis §3.5, §3.6). */
import { assert } from '../lib/assert.ts';
import { hasBug } from './bugs.ts';
import type { AppendReply, AppendRequest, CommitNotice, Entry, MemberId } from './message.ts';
import { becomeFollower } from './roles.ts';
import {
  envelope,
  isHardStateDurable,
  isLeader,
  learnCommit,
  type RaftState,
  verifiedIndex,
} from './state.ts';

/** Takes a leader's entries, its commit index, and its sign of life. The term is ours. */
export function handleAppend(state: RaftState, message: AppendRequest): void {
  followLeader(state, message.from);
  const lastNew = takeEntries(state, message);
  if (lastNew === null) {
    refuse(state, message);
    return;
  }
  verify(state, lastNew);
  const comparedTo = hasBug(state, 'commit-beyond-match') ? state.log.lastIndex : lastNew;
  state.log.commitTo(Math.min(message.commit, comparedTo));
  acknowledge(state, message.from, message.round, Math.max(lastNew, state.log.commit));
  if (message.quiesce) state.quiescent = isCaughtUp(state, message);
}

/** A leader's word without entries: it holds for what is known to equal its log. */
export function handleCommit(state: RaftState, { from, commit }: CommitNotice): void {
  followLeader(state, from);
  learnCommit(state, commit);
}

/** A leader of our term spoke: whoever else we thought of, it is the one (E1). */
export function followLeader(state: RaftState, leader: MemberId): void {
  assert(!isLeader(state), `two leaders in term ${state.term}: ${state.id} and ${leader}`);
  assert(
    state.leader === null || state.leader === leader,
    `two leaders in term ${state.term}: ${state.leader} and ${leader}`,
  );
  becomeFollower(state, state.term, leader);
}

/** Everything up to `index` equals the leader's log, and will be durable when this leaves. */
export function acknowledge(state: RaftState, to: MemberId, round: number, index: number): void {
  assert(index <= state.log.lastIndex, 'an acknowledgement beyond the log');
  const hint = { hintIndex: 0, hintTerm: 0 };
  sendAck(state, { ...replyTo(state, to), round, accepted: true, index, ...hint });
}

/**
 * Answers a leader of an earlier term, so that it learns of ours and a member that ran ahead can be
 * led again (E7 alone would lock it out; reliability of CheckQuorum, etcd-io/raft §checkquorum).
 * Round 0 confirms nothing: the request may be a late copy from an earlier leadership of the very
 * member that leads now, with a round number of that time.
 */
export function answerEarlierTerm(state: RaftState, to: MemberId): void {
  const nothing = { round: 0, accepted: false, index: 0, hintIndex: 0, hintTerm: 0 };
  sendAck(state, { ...replyTo(state, to), ...nothing });
}

function replyTo(state: RaftState, to: MemberId) {
  return { ...envelope(state, to), type: 'appendReply', attended: state.attended } as const;
}

/** @returns the last index known to equal the leader's log, or null when the logs do not meet */
function takeEntries(state: RaftState, message: AppendRequest): number | null {
  const { log } = state;
  const lastSent = message.prevIndex + message.entries.length;
  // What is committed here is in the leader's log too (leader completeness): compare only after it.
  // The commit index also bounds what may be compacted here, so nothing below is looked at.
  const known = Math.max(0, Math.min(log.commit, lastSent) - message.prevIndex);
  const prevIndex = message.prevIndex + known;
  const entries = known === 0 ? message.entries : message.entries.slice(known);
  if (prevIndex < log.commit) return lastSent;
  if (prevIndex > log.commit && !meets(state, prevIndex, message.prevTerm)) return null;
  const fresh = entries.slice(countEqual(state, entries));
  if (hasBug(state, 'truncate-committed') && prevIndex < log.lastIndex) {
    log.truncateFrom(prevIndex + 1);
    log.append(entries);
  } else if (fresh[0] !== undefined) {
    if (fresh[0].index <= log.lastIndex) log.truncateFrom(fresh[0].index);
    log.append(fresh);
  }
  return Math.max(lastSent, prevIndex);
}

function meets(state: RaftState, prevIndex: number, prevTerm: number): boolean {
  if (hasBug(state, 'append-skips-conflict-check')) return prevIndex <= state.log.lastIndex;
  return state.log.matches(prevIndex, prevTerm);
}

/**
 * Entries at the front that the log already holds. Only what follows is new or in conflict: an old
 * append that arrives late must not cut off what was acknowledged since.
 */
function countEqual(state: RaftState, entries: readonly Entry[]): number {
  const { log } = state;
  const keepsAll = hasBug(state, 'append-skips-conflict-check');
  let count = 0;
  for (const { index, term } of entries) {
    const held = keepsAll ? index <= log.lastIndex : log.matches(index, term);
    if (!held) break;
    count++;
  }
  return count;
}

/** Says where the logs may still meet, so that the leader skips whole terms (thesis §3.5, end). */
function refuse(state: RaftState, message: AppendRequest): void {
  const { log } = state;
  const hintIndex = log.lastNotAbove(message.prevIndex, message.prevTerm, log.commit);
  sendAck(state, {
    ...replyTo(state, message.from),
    round: message.round,
    accepted: false,
    index: message.prevIndex,
    hintIndex,
    hintTerm: log.term(hintIndex),
  });
}

/** Fit to sleep: nothing is missing that a leader would have to bring. */
function isCaughtUp(state: RaftState, message: AppendRequest): boolean {
  return message.commit === state.log.commit && state.log.commit === state.log.lastIndex;
}

/** In a term there is one leader, whose log only grows: what was equal once stays so. */
function verify(state: RaftState, index: number): void {
  state.verified = { term: state.term, index: Math.max(verifiedIndex(state), index) };
}

/**
 * An answer that speaks only of what is on the disk already need not wait for what is on its way
 * there: otherwise reads and heartbeats would wait for every write of their followers.
 */
function sendAck(state: RaftState, message: AppendReply): void {
  const claim = message.accepted ? message.index : 0;
  const isDurable = isHardStateDurable(state) && claim <= state.log.durableIndex;
  if (isDurable || hasBug(state, 'ack-before-persist')) state.outbox.sendNow(message);
  else state.outbox.sendAfterPersist(message);
}
