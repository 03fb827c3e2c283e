import { limits } from '../config.ts';
import type { Output, Role } from '../raft/output.ts';
import type { OpenRequest } from './answers.ts';

/** One turn of the node, once the core has been stepped. */
export interface Turn {
  readonly nowMs: number;
  readonly output: Output;
  /** Peers' requests that it works off. */
  readonly answering: readonly OpenRequest[];
  /** The log is compacted up to here in it; null: it is not. */
  readonly compacted: number | null;
}

/**
 * Whether what a turn has sent may leave in an event before the one that writes. The platform
 * commits what an event has written before it lets go what the same event has sent: a leader's disk
 * and its peers' would work one after the other, though appends wait for no disk (thesis §10.2.1).
 *
 * Only where nothing else is to be done: until it is over the core is ahead of rows and state, so
 * that no other turn may begin.
 */
export function maySendAhead(role: Role, { output, answering, compacted }: Turn): boolean {
  const { persist, sendNow, sendAfterPersist, apply, snapshotsWanted, softState } = output;
  if (role !== 'leader' || persist === null || sendNow.length === 0) return false;
  // In a crowd an event more costs as much as several requests.
  if (persist.entries.length > limits.thriftBatchMax) return false;
  const onlyEntries = persist.hardState === null && persist.snapshot === null;
  const onlyAppends = sendAfterPersist.length === 0 && snapshotsWanted.length === 0;
  const isQuiet = apply.length === 0 && softState === null && compacted === null;
  return onlyEntries && onlyAppends && isQuiet && answering.length === 0;
}
