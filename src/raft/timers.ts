/** What time alone brings about, and when it will next. */
import { campaign } from './election.ts';
import { isVoter } from './membership.ts';
import { quiesceDeadlineMs } from './quiescence.ts';
import { quorumReached } from './quorum.ts';
import { startRound, waitingReadsDeadlineMs } from './reads.ts';
import { commitDueMs } from './replication.ts';
import { becomeFollower, forgetLeader } from './roles.ts';
import { retrySnapshots } from './snapshots.ts';
import { isLeader, type RaftState, stands } from './state.ts';
import { thriftDeadlineMs } from './thrift.ts';

/** Follower and candidate: without a leader for an election timeout, an election is due. */
export function followerTimers(state: RaftState): void {
  if (state.quiescent || state.nowMs < state.electionDeadlineMs) return;
  if (stands(state)) campaign(state);
  else if (state.leader !== null) forgetLeader(state);
}

/** Leader: steps down without a quorum (CheckQuorum, thesis §6.2), else shows itself in time. */
export function leaderTimers(state: RaftState): void {
  if (state.quiescent) return;
  if (state.nowMs >= contactDeadlineMs(state)) {
    becomeFollower(state, state.term, null);
    return;
  }
  if (state.progress.size === 0 || state.nowMs < state.heartbeatDueMs) return;
  retrySnapshots(state);
  startRound(state);
}

/** When the next tick is due at the latest; null to sleep until something arrives. */
export function deadlineMs(state: RaftState): number | null {
  const due = isLeader(state) ? leaderDeadlineMs(state) : followerDeadlineMs(state);
  return Number.isFinite(due) ? due : null;
}

function leaderDeadlineMs(state: RaftState): number {
  if (state.quiescent) return Number.POSITIVE_INFINITY;
  const heartbeat = state.progress.size === 0 ? Number.POSITIVE_INFINITY : state.heartbeatDueMs;
  const transfer = state.transfer?.deadlineMs ?? Number.POSITIVE_INFINITY;
  const owed = Math.min(commitDeadlineMs(state), thriftDeadlineMs(state));
  return Math.min(heartbeat, transfer, owed, contactDeadlineMs(state), quiesceDeadlineMs(state));
}

function commitDeadlineMs(state: RaftState): number {
  let deadline = Number.POSITIVE_INFINITY;
  for (const progress of state.progress.values()) {
    deadline = Math.min(deadline, commitDueMs(state, progress) ?? deadline);
  }
  return deadline;
}

function followerDeadlineMs(state: RaftState): number {
  const watches = stands(state) || state.leader !== null;
  const election =
    watches && !state.quiescent ? state.electionDeadlineMs : Number.POSITIVE_INFINITY;
  return Math.min(election, waitingReadsDeadlineMs(state));
}

/**
 * One election timeout after the latest moment by which a quorum had answered; never when alone.
 */
function contactDeadlineMs(state: RaftState): number {
  const heardMs = quorumReached(state.config, (id) => {
    if (id === state.id) return Number.POSITIVE_INFINITY;
    return state.progress.get(id)?.heardMs ?? Number.NEGATIVE_INFINITY;
  });
  return heardMs + state.options.electionTimeoutMs;
}

/** A lone voter need not wait for anybody before its first election. */
export function isSoleVoter(state: RaftState): boolean {
  const { voters, votersOutgoing } = state.config;
  return voters.length + votersOutgoing.length === 1 && isVoter(state.config, state.id);
}
