/** The end of a step: what all its inputs together lead to, decided and sent once. */
import type { HardState, PersistBatch, SoftState } from './output.ts';
import { settleQuiescence } from './quiescence.ts';
import { settleLeaderReads, settleWaitingReads } from './reads.ts';
import { handOutCommitted, settleJoint } from './reconfigure.ts';
import { advanceCommit, replicate } from './replication.ts';
import { isLeader, type RaftState } from './state.ts';
import { followerTimers, leaderTimers } from './timers.ts';
import { settleDeparture, settleTransfer } from './transfer.ts';

/**
 * Commits, applies, keeps time, answers reads and replicates, in an order in which each sees the
 * last.
 */
export function settle(state: RaftState): void {
  settleCommit(state);
  if (isLeader(state)) leaderTimers(state);
  else followerTimers(state);
  if (isLeader(state)) settleLeader(state);
  if (!isLeader(state)) settleWaitingReads(state);
}

/** The rows that this step asks for; null when it changed nothing that lasts. */
export function takeBatch(state: RaftState): PersistBatch | null {
  const hardState = changedHardState(state);
  const snapshot = state.outbox.takeInstall();
  if (hardState === null && snapshot === null && state.log.unsavedCount === 0) return null;
  const sequence = ++state.batchSequence;
  if (hardState !== null) {
    state.hardStateSaved = hardState;
    state.hardStateSequence = sequence;
  }
  const entries = state.log.takeUnsaved(sequence);
  return { sequence, hardState, entries, snapshot, commit: state.log.commit };
}

/** Role, leader and term, when they are not what was said last. */
export function takeSoftState(state: RaftState): SoftState | null {
  const { role, leader, term, softStateTold: told } = state;
  if (told !== null && told.role === role && told.leader === leader && told.term === term) {
    return null;
  }
  state.softStateTold = { role, leader, term };
  return state.softStateTold;
}

/**
 * A change of configuration may shrink the quorum, so that more is committed: until nothing moves.
 */
function settleCommit(state: RaftState): void {
  do {
    if (isLeader(state)) advanceCommit(state);
  } while (handOutCommitted(state));
}

function settleLeader(state: RaftState): void {
  settleJoint(state);
  settleLeaderReads(state);
  settleQuiescence(state);
  settleDeparture(state);
  replicate(state);
  settleTransfer(state);
}

function changedHardState(state: RaftState): HardState | null {
  const { term, vote, hardStateSaved: saved } = state;
  return saved.term === term && saved.vote === vote ? null : { term, vote };
}
