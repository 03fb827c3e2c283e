/**
 * Sleep: a group with nothing to do sends nothing and sets no timer (P4). The leader announces it;
 * followers that are caught up stop watching it. Whatever happens next wakes a member, and a woken
 * leader speaks at once, so that the others watch it again.
 */
import type { Message } from './message.ts';
import { startRound } from './reads.ts';
import { isFullyReplicated } from './replication.ts';
import { armElectionTimer, isLeader, type RaftState } from './state.ts';

/** Something is to be done. A follower watches for a leader again, a leader shows itself. */
export function wake(state: RaftState): void {
  state.busyMs = state.nowMs;
  if (!state.quiescent) return;
  state.quiescent = false;
  if (!isLeader(state)) {
    armElectionTimer(state);
    return;
  }
  // Nobody was asked while it slept: contact is counted from now on (CheckQuorum).
  for (const progress of state.progress.values()) progress.heardMs = state.nowMs;
  startRound(state);
}

/** A message arrived. Late answers of the silence itself do not break it. */
export function wakeOnMessage(state: RaftState, message: Message): void {
  if (!state.quiescent) return;
  if (isLeader(state) && isEchoOfSilence(state, message)) return;
  // The leader was live when we fell silent and had no reason to speak since. A candidate that
  // missed that is refused once; if the leader is gone, its next attempt succeeds.
  if (!isLeader(state) && message.type === 'vote') state.leaderHeardMs = state.nowMs;
  wake(state);
}

/** The leader's check, at the end of a step: silent once idle for long enough. */
export function settleQuiescence(state: RaftState): void {
  const { quiesceAfterMs } = state.options;
  if (quiesceAfterMs === 0 || state.quiescent) return;
  if (hasWork(state)) {
    state.busyMs = state.nowMs;
    return;
  }
  if (state.nowMs < state.busyMs + quiesceAfterMs) return;
  startRound(state);
  state.quiescent = true;
}

/** When an idle leader may fall silent. */
export function quiesceDeadlineMs(state: RaftState): number {
  const { quiesceAfterMs } = state.options;
  if (quiesceAfterMs === 0 || hasWork(state)) return Number.POSITIVE_INFINITY;
  return state.busyMs + quiesceAfterMs;
}

function hasWork(state: RaftState): boolean {
  if (state.transfer !== null || state.pendingReads.length > 0) return true;
  return state.log.handedOut !== state.log.commit || !isFullyReplicated(state);
}

function isEchoOfSilence(state: RaftState, message: Message): boolean {
  if (message.type !== 'appendReply' || message.term !== state.term) return false;
  return message.accepted && message.index === state.log.lastIndex;
}
