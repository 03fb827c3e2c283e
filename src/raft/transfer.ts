/** Handing leadership over (thesis §3.10). */

import { isVoter } from './membership.ts';
import type { MemberId } from './message.ts';
import type { Progress } from './progress.ts';
import { envelope, isLeader, isPromotable, type RaftState } from './state.ts';

/**
 * Starts a transfer at the leader; passes the wish on from elsewhere. A transfer to nobody is
 * ignored.
 */
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
  const isPossible = isLeader(state) && isVoter(state.config, to);
  if (!isPossible || to === state.id || state.transfer?.to === to) return;
  const deadlineMs = state.nowMs + state.options.electionTimeoutMs;
  state.transfer = { to, deadlineMs, timeoutNowSent: false };
}

/**
 * A leader that was removed or demoted leads on without counting itself, until the best placed
 * voter takes over. Leaving at once would strand a group whose members have not learnt of the
 * commit: they would still need the vote of the one that left (thesis §4.2.2).
 */
export function settleDeparture(state: RaftState): void {
  if (isPromotable(state) || state.transfer !== null) return;
  let best: { readonly id: MemberId; readonly progress: Progress } | null = null;
  for (const [id, progress] of state.progress) {
    if (!isVoter(state.config, id)) continue;
    if (best === null || isBetterPlaced(progress, best.progress)) best = { id, progress };
  }
  if (best !== null) startTransfer(state, best.id);
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

function isBetterPlaced(a: Progress, b: Progress): boolean {
  return a.match > b.match || (a.match === b.match && a.heardMs > b.heardMs);
}
