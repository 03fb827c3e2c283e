/**
 * Configuration changes in the life of a member: applied when committed, finished by the leader.
 */
import { assert } from '../lib/assert.ts';
import { hasBug } from './bugs.ts';
import { decodeConfChange, LEAVE_JOINT } from './confchange.ts';
import type { ConfChange } from './membership.ts';
import {
  ConfChangeError,
  changeConf,
  confStateFault,
  isJoint,
  isLeaveJoint,
  membersOf,
} from './membership.ts';
import { type ConfState, type Entry, EntryKind } from './message.ts';
import { Progress } from './progress.ts';
import { appendEntry } from './replication.ts';
import { enterConfig, hasCommittedInTerm, isLeader, type RaftState } from './state.ts';

/**
 * Hands committed entries to the runtime; a change of configuration among them takes effect here.
 * @returns whether the configuration changed, so that quorums must be counted again
 */
export function handOutCommitted(state: RaftState): boolean {
  const { log } = state;
  if (log.handedOut === log.commit) return false;
  const entries = log.handOut(state.options.applyBytesMax);
  state.outbox.apply(entries);
  let changed = false;
  for (const entry of entries) {
    if (entry.kind === EntryKind.confChange) changed = applyConfChange(state, entry) || changed;
  }
  return changed;
}

/**
 * Whether a leader may append this change: never two unapplied ones (M2), never before the first
 * commit of its term (the 2015 erratum on single-server changes), and only one that fits now.
 */
export function mayProposeConfChange(state: RaftState, change: ConfChange): boolean {
  if (!hasCommittedInTerm(state) && !hasBug(state, 'conf-change-before-own-term-commit'))
    return false;
  if (state.pendingConfIndex > state.log.handedOut && !hasBug(state, 'conf-change-while-pending')) {
    return false;
  }
  if (isJoint(state.config) !== isLeaveJoint(change)) return false;
  return changedConf(state.config, change) !== null;
}

/** A leader ends a joint phase that is to end by itself, also one that an earlier leader began. */
export function settleJoint(state: RaftState): void {
  const due = isJoint(state.config) && state.config.autoLeave;
  if (!due || !mayProposeConfChange(state, { transition: 'auto', changes: [] })) return;
  appendConfChange(state, LEAVE_JOINT);
}

/** Appends a change that may be proposed. */
export function appendConfChange(state: RaftState, data: Uint8Array): void {
  assert(
    state.pendingConfIndex <= state.log.handedOut || hasBug(state, 'conf-change-while-pending'),
    'two changes of configuration at once',
  );
  appendEntry(state, EntryKind.confChange, data);
  state.pendingConfIndex = state.log.lastIndex;
}

/** Forgets configurations that no snapshot can be of any more. */
export function pruneConfigHistory(state: RaftState): void {
  const { compactedIndex } = state.log;
  while ((state.configHistory[1]?.index ?? Number.POSITIVE_INFINITY) <= compactedIndex) {
    state.configHistory.shift();
  }
}

function applyConfChange(state: RaftState, entry: Entry): boolean {
  // A change that does not fit is void, on every member alike; it was validated when proposed, so
  // it can only stem from a leader with validation of another version.
  const config = changedConf(state.config, decodeConfChange(entry.data));
  if (config === null) return false;
  const fault = confStateFault(config);
  assert(fault === null, `configuration after entry ${entry.index}: ${fault}`);
  enterConfig(state, config);
  state.configHistory.push({ index: entry.index, confState: config });
  if (isLeader(state)) adjustProgress(state);
  return true;
}

function changedConf(config: ConfState, change: ConfChange): ConfState | null {
  try {
    return changeConf(config, change);
  } catch (error) {
    if (error instanceof ConfChangeError) return null;
    throw error;
  }
}

function adjustProgress(state: RaftState): void {
  const peers = membersOf(state.config).filter((id) => id !== state.id);
  for (const id of [...state.progress.keys()]) {
    if (!peers.includes(id)) state.progress.delete(id);
  }
  for (const id of peers) {
    if (state.progress.has(id)) continue;
    state.progress.set(id, new Progress(state.log.lastIndex + 1, state.nowMs));
  }
  const { transfer } = state;
  if (transfer !== null && !state.progress.has(transfer.to)) state.transfer = null;
}
