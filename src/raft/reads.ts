/**
 * Linearizable reads without log entries (ReadIndex, thesis §6.4). A read is served at the commit
 * index the leader had when a round began after the read's arrival, once a quorum has answered that
 * round: then nobody else was leader at that moment. Confirmation is by round number only; ids
 * chosen by those who ask never confirm anything (etcd #20418).
 */
import { hasBug } from './bugs.ts';
import type { MemberId, ReadReply, ReadRequest } from './message.ts';
import { quorumReached } from './quorum.ts';
import type { ForwardedReads, PendingRead, RaftState, WaitingRead } from './state.ts';
import { envelope, hasCommittedInTerm, isLeader, learnCommit } from './state.ts';
import { rankByPromptness, thriftDelayMs } from './thrift.ts';

/** A read of this member, wherever the leader is. */
export function addRead(state: RaftState, id: number): void {
  if (isLeader(state)) state.pendingReads.push(newRead(null, id));
  else state.waitingReads.push({ id, sinceMs: state.nowMs });
}

/** Another member's read. A repeated request joins the one that waits. */
export function handleReadRequest(state: RaftState, message: ReadRequest): void {
  const { from, id } = message;
  if (!isLeader(state)) {
    state.outbox.sendNow({ ...envelope(state, from), type: 'readReply', id, index: null });
    return;
  }
  const known = state.pendingReads.some((read) => read.from === from && read.id === id);
  if (!known) state.pendingReads.push(newRead(from, id));
}

/** The leader's answer. Counts only from the leader and term it was asked of (R4). */
export function handleReadReply(state: RaftState, message: ReadReply): void {
  if (message.index === null) return;
  const at = state.forwardedReads.findIndex((request) => request.wireId === message.id);
  const request = state.forwardedReads[at];
  if (request === undefined || !isCurrent(state, request)) return;
  if (request.leader !== message.from) return;
  state.forwardedReads.splice(at, 1);
  // A read index is a commit index.
  learnCommit(state, message.index);
  for (const read of request.reads) state.outbox.answerRead(read.id, message.index);
}

/** Begins a round of heartbeats: every peer is sent an append that carries its number. */
export function startRound(state: RaftState): void {
  state.heartbeatDueMs = state.nowMs + state.options.heartbeatIntervalMs;
  if (state.transfer !== null) state.transfer.timeoutNowSent = false;
  openRound(state, state.nowMs);
}

/** All reads that wait are confirmed by the answers. Who can be spared is asked at `dueMs`. */
function openRound(state: RaftState, dueMs: number): void {
  state.round++;
  state.roundDueMs = dueMs;
  if (!mayConfirm(state)) return;
  for (const read of state.pendingReads) {
    if (read.round !== null) continue;
    read.round = hasBug(state, 'read-confirmed-by-old-round') ? 0 : state.round;
    read.index = state.log.commit;
  }
}

/** Leader: answers what is confirmed and begins a round for what waits, one at a time. */
export function settleLeaderReads(state: RaftState): void {
  if (state.pendingReads.length === 0) return;
  if (hasBug(state, 'read-without-round')) {
    answerReads(state, () => true);
    return;
  }
  answerConfirmed(state);
  if (state.pendingReads.length === 0 || !mayConfirm(state)) return;
  answerVouchedFor(state);
  if (state.pendingReads.length === 0) return;
  // Reads that arrive while a round is under way wait for the next, and share it.
  if (state.pendingReads.some((read) => read.round !== null)) return;
  openRound(state, state.nowMs + thriftDelayMs(state));
  answerConfirmed(state); // A single voter is a quorum by itself.
}

/** Not the leader: asks the leader, asks again what stays unanswered, and gives up without one. */
export function settleWaitingReads(state: RaftState): void {
  takeBackStale(state);
  if (state.leader === null) {
    failOverdue(state);
    return;
  }
  for (const request of state.forwardedReads) {
    if (state.nowMs < request.sentMs + state.options.heartbeatIntervalMs) continue;
    request.sentMs = state.nowMs;
    sendRequest(state, request);
  }
  const windowFull = state.forwardedReads.length >= state.options.inflightAppendsMax;
  if (state.waitingReads.length === 0 || windowFull) return;
  const request: ForwardedReads = {
    wireId: ++state.lastWireId,
    leader: state.leader,
    term: state.term,
    reads: state.waitingReads,
    sentMs: state.nowMs,
  };
  state.waitingReads = [];
  state.forwardedReads.push(request);
  sendRequest(state, request);
}

/** When `settleWaitingReads` has something to do without any news. */
export function waitingReadsDeadlineMs(state: RaftState): number {
  let deadline = Number.POSITIVE_INFINITY;
  for (const request of state.forwardedReads) {
    deadline = Math.min(deadline, request.sentMs + state.options.heartbeatIntervalMs);
  }
  const oldest = state.waitingReads[0];
  if (oldest !== undefined && state.leader === null) {
    deadline = Math.min(deadline, oldest.sinceMs + patienceMs(state));
  }
  return deadline;
}

/** A new leader serves the reads it was about to forward. */
export function adoptWaitingReads(state: RaftState): void {
  takeBackStale(state);
  for (const read of state.waitingReads) state.pendingReads.push(newRead(null, read.id));
  state.waitingReads = [];
}

/**
 * Leadership ended: nothing this member heard can confirm a read any more. Other members ask the
 * next leader by themselves.
 */
export function failPendingReads(state: RaftState): void {
  for (const read of state.pendingReads) {
    if (read.from === null) state.outbox.failRead(read.id, 'leaderChanged');
  }
  state.pendingReads = [];
}

function newRead(from: MemberId | null, id: number): PendingRead {
  return { from, id, round: null, index: 0 };
}

function mayConfirm(state: RaftState): boolean {
  return hasCommittedInTerm(state) || hasBug(state, 'read-before-own-term-commit');
}

function answerConfirmed(state: RaftState): void {
  const confirmed = quorumReached(state.config, (id) =>
    id === state.id ? state.round : (state.progress.get(id)?.roundAcked ?? 0),
  );
  answerReads(state, (read) => read.round !== null && read.round <= confirmed);
  if (confirmed < state.round || state.roundDueMs === null) return;
  // Who was spared need not hear of it any more. (A lone voter confirms heartbeats for learners.)
  if (state.nowMs < state.roundDueMs) state.roundDueMs = null;
  rankByPromptness(state, (progress) => progress.roundAcked === state.round);
}

/**
 * A request of another voter is an answer by itself: it was sent in our term after the read arrived
 * there. In a group of three it and we are a quorum, so no other leader can have been elected
 * before the request was sent, and everything completed by then is in our log: no round is needed.
 *
 * Nor while members change. Let F be the first leader elected in a later term, and C(j) what we
 * count by. We hold the changes of earlier terms, and have made those of ours: F cannot have
 * applied more than change j+1. F holds change j, and so has applied j-1 (see mayMissConfChange in
 * election.ts). A majority that elects by C(j-1), C(j) or C(j+1) has the asker or us in it, and
 * whoever votes leaves our term: F was not elected when the request was sent.
 */
function answerVouchedFor(state: RaftState): void {
  answerReads(state, (read) => {
    if (read.round !== null || read.from === null) return false;
    const isQuorum = quorumReached(state.config, (id) =>
      id === state.id || id === read.from ? 1 : 0,
    );
    return isQuorum >= 1;
  });
}

function answerReads(state: RaftState, ready: (read: PendingRead) => boolean): void {
  const rest: PendingRead[] = [];
  for (const read of state.pendingReads) {
    if (!ready(read)) {
      rest.push(read);
      continue;
    }
    const index = read.round === null ? state.log.commit : read.index;
    if (read.from === null) state.outbox.answerRead(read.id, index);
    else {
      const base = envelope(state, read.from);
      state.outbox.sendNow({ ...base, type: 'readReply', id: read.id, index });
      state.progress.get(read.from)?.awaits(index);
    }
  }
  state.pendingReads = rest;
}

function isCurrent(state: RaftState, request: ForwardedReads): boolean {
  return request.leader === state.leader && request.term === state.term;
}

/**
 * What was asked of an earlier leader is asked again, under a new id. Patience starts anew: the
 * leader was lost just now.
 */
function takeBackStale(state: RaftState): void {
  if (state.forwardedReads.every((request) => isCurrent(state, request))) return;
  const stale = state.forwardedReads.filter((request) => !isCurrent(state, request));
  state.forwardedReads = state.forwardedReads.filter((request) => isCurrent(state, request));
  for (const { id } of stale.flatMap((request) => request.reads)) {
    state.waitingReads.push({ id, sinceMs: state.nowMs });
  }
}

function failOverdue(state: RaftState): void {
  const isOverdue = (read: WaitingRead) => state.nowMs >= read.sinceMs + patienceMs(state);
  for (const read of state.waitingReads) {
    if (isOverdue(read)) state.outbox.failRead(read.id, 'noLeader');
  }
  state.waitingReads = state.waitingReads.filter((read) => !isOverdue(read));
}

/** Long enough for an election that has to be repeated once. */
function patienceMs(state: RaftState): number {
  return 2 * state.options.electionTimeoutMs;
}

function sendRequest(state: RaftState, request: ForwardedReads): void {
  const base = envelope(state, request.leader);
  state.outbox.sendNow({ ...base, type: 'read', id: request.wireId });
}
