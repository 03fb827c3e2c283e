/** Handing leadership over (thesis §3.10). */

import { isVoter } from './membership.ts';
import type { MemberId } from './message.ts';
import { envelope, isLeader, isPromotable, type RaftState } from './state.ts';

/** Starts a transfer at the leader; passes the wish on from elsewhere. A transfer to nobody is ignored. */
export function transferLeadership(state: RaftState, to: MemberId): void {
  if (isLeader(state)) {
    startTransfer(state, to);
    return;
  }
  if (state.leader === null) return;
  const base = envelope(state, state.leader);
  state.outbox.sendNow({ ...base, type: 'transfer', transferee: to });
}

/** Only a voter can win the election that follows. The newest wish counts. */
export function startTransfer(state: RaftState, to: MemberId): void {
  const isPossible = isLeader(state) && isPromotable(state) && isVoter(state.config, to);
  if (!isPossible || to === state.id || state.transfer?.to === to) return;
  const deadlineMs = state.nowMs + state.options.electionTimeoutMs;
  state.transfer = { to, deadlineMs, timeoutNowSent: false };
}

/**
 * Tells the target to stand once it holds everything; repeated with each heartbeat, as the message
 * may be lost. After an election timeout the leader takes proposals again: it may be in office
 * still, and if it is not, its proposals are harmless.
 */
export function settleTransfer(state: RaftState): void {
  const { transfer } = state;
  if (transfer === null) return;
  if (state.nowMs >= transfer.deadlineMs) {
    state.transfer = null;
    return;
  }
  const caughtUp = state.progress.get(transfer.to)?.match === state.log.lastIndex;
  if (transfer.timeoutNowSent || !caughtUp) return;
  transfer.timeoutNowSent = true;
  state.outbox.sendNow({ ...envelope(state, transfer.to), type: 'timeoutNow' });
}
