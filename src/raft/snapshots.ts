/** Snapshots: told to install at one end, moved and retried at the other (thesis chapter 5). */
import { assert } from '../lib/assert.ts';
import { acknowledge, followLeader } from './append.ts';
import { hasBug } from './bugs.ts';
import type { Input } from './input.ts';
import { confStateFault } from './membership.ts';
import type { InstallSnapshot } from './message.ts';
import { startRound } from './reads.ts';
import { confStateAt } from './replication.ts';
import { enterConfig, isLeader, type RaftState } from './state.ts';

/** The leader's state is staged here: installs it unless our log already reaches as far. */
export function handleInstallSnapshot(state: RaftState, message: InstallSnapshot): void {
  followLeader(state, message.from);
  const { log } = state;
  const { snapshot: meta, transferId } = message;
  const isStale = meta.index <= log.commit && !hasBug(state, 'install-stale-snapshot');
  if (isStale) {
    // Its state would take us back; what we hold is committed and in the leader's log (script
    // snapshot_succeed_via_app_resp_behind of etcd-io/raft).
    acknowledge(state, message.from, message.round, log.commit);
    return;
  }
  if (meta.index > log.commit && log.matches(meta.index, meta.term)) {
    // Having the entry means having everything before it (log matching): commit instead of copying.
    log.commitTo(meta.index);
    acknowledge(state, message.from, message.round, meta.index);
    return;
  }
  const fault = confStateFault(meta.confState);
  assert(fault === null, `configuration of a snapshot: ${fault}`);
  log.reset(meta);
  enterConfig(state, meta.confState);
  state.configHistory = [{ index: meta.index, confState: meta.confState }];
  state.outbox.install(meta, transferId);
  acknowledge(state, message.from, message.round, meta.index);
}

/** The transfer of a snapshot's bytes to a peer ended, one way or the other. */
export function handleSnapshotStatus(
  state: RaftState,
  input: Extract<Input, { type: 'snapshotStatus' }>,
): void {
  const progress = state.progress.get(input.to);
  if (!isLeader(state) || progress?.state !== 'snapshot') return;
  if (!input.ok) {
    // Tried again when the next heartbeat is due: an immediate retry would hit the same obstacle.
    progress.snapshotFailed = true;
    return;
  }
  const { index, term, transferId } = input;
  assert(index <= state.log.commit, 'a snapshot of uncommitted state');
  const confState = confStateAt(state, index);
  progress.staged = { index, term, transferId, stagedMs: state.nowMs, confState };
  // The order to install is the peer's sign of life from now on, until it answers.
  startRound(state);
}

/**
 * Before heartbeats: a failed transfer gets its next attempt, and a staged snapshot that was not
 * taken within an election timeout is given up (the peer restarted and dropped it).
 */
export function retrySnapshots(state: RaftState): void {
  for (const progress of state.progress.values()) {
    const { staged, snapshotFailed } = progress;
    const givenUp =
      staged !== null && state.nowMs >= staged.stagedMs + state.options.electionTimeoutMs;
    if (snapshotFailed || givenUp) progress.probe();
  }
}
