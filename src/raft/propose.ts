/** Proposals: into the log at the leader, on to the leader elsewhere. */
import { decodeConfChange } from './confchange.ts';
import type { Proposal } from './input.ts';
import { EntryKind, type ProposeRequest } from './message.ts';
import { appendConfChange, mayProposeConfChange } from './reconfigure.ts';
import { appendEntry } from './replication.ts';
import { envelope, isLeader, type RaftState } from './state.ts';

/** Our own clients' proposals. What cannot be taken is given back, from the first refusal on. */
export function propose(state: RaftState, proposals: readonly Proposal[]): void {
  if (isLeader(state)) {
    const taken = appendProposals(state, proposals);
    for (const { data } of proposals.slice(taken)) state.outbox.drop(data);
    return;
  }
  const forwarded: Uint8Array[] = [];
  for (const { kind, data } of proposals) {
    if (kind === EntryKind.normal && state.leader !== null) forwarded.push(data);
    else state.outbox.drop(data);
  }
  if (state.leader === null || forwarded.length === 0) return;
  const base = envelope(state, state.leader);
  state.outbox.sendNow({ ...base, type: 'propose', proposals: forwarded });
}

/**
 * Another member's. It re-sends by its own rule, so nothing is said about what is not taken. It
 * hears when what was taken is committed.
 */
export function handleProposeRequest(state: RaftState, message: ProposeRequest): void {
  if (!isLeader(state)) return;
  const proposals = message.proposals.map((data) => ({ kind: EntryKind.normal, data }));
  const taken = appendProposals(state, proposals);
  const progress = state.progress.get(message.from);
  if (progress === undefined) return;
  // Nothing taken: it is told so at once.
  progress.proposedIndex = taken > 0 ? state.log.lastIndex : 0;
  progress.proposalOpen = true;
  progress.awaits(progress.proposedIndex);
}

/** Appends in order as far as possible, so that a later proposal never overtakes a refused one. */
function appendProposals(state: RaftState, proposals: readonly Proposal[]): number {
  let taken = 0;
  let bytes = 0;
  for (const proposal of proposals) {
    const total = state.uncommittedBytes + bytes + proposal.data.length;
    if (!hasRoom(state, total, bytes) || !appendProposal(state, proposal)) break;
    bytes += proposal.data.length;
    taken++;
  }
  if (taken > 0) {
    state.uncommitted.push({ lastIndex: state.log.lastIndex, bytes });
    state.uncommittedBytes += bytes;
  }
  return taken;
}

/** A single proposal larger than the whole budget passes when nothing else waits. */
function hasRoom(state: RaftState, total: number, bytes: number): boolean {
  if (state.transfer !== null) return false; // Leadership is leaving (thesis §3.10).
  return total <= state.options.uncommittedBytesMax || state.uncommittedBytes + bytes === 0;
}

function appendProposal(state: RaftState, { kind, data }: Proposal): boolean {
  if (kind === EntryKind.normal) {
    appendEntry(state, kind, data);
    return true;
  }
  if (!mayProposeConfChange(state, decodeConfChange(data))) return false;
  appendConfChange(state, data);
  return true;
}
