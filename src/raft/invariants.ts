/** What must hold after every step, on every member, in production too. */
import { assert } from '../lib/assert.ts';
import { isLeader, type RaftState } from './state.ts';

/** What the previous step left behind, to compare with. */
export interface Watermark {
  readonly term: number;
  readonly commit: number;
  readonly handedOut: number;
}

export function watermark(state: RaftState): Watermark {
  return { term: state.term, commit: state.log.commit, handedOut: state.log.handedOut };
}

/** @throws InvariantError naming the invariant of the reliability catalogue */
export function checkInvariants(state: RaftState, before: Watermark): void {
  const { log, term, options } = state;
  assert(log.compactedIndex <= log.applied, 'L7: compacted beyond applied');
  assert(log.applied <= log.handedOut, 'L7: applied beyond what was handed out');
  assert(log.handedOut <= log.commit, 'L7: handed out beyond commit');
  assert(log.commit <= log.lastIndex, 'L7: commit beyond the log');
  assert(log.durableIndex <= log.lastIndex, 'durable beyond the log');
  assert(term >= before.term, 'E3: the term fell');
  assert(log.commit >= before.commit, 'L8: the commit index fell');
  assert(log.handedOut >= before.handedOut, 'L8: what was handed out fell');
  assert(state.uncommittedBytes >= 0, 'uncommitted bytes are negative');
  assert(
    isLeader(state) === (state.leader === state.id),
    'a leader follows itself, nobody else does',
  );
  assert(isLeader(state) || state.progress.size === 0, 'only a leader tracks peers');
  for (const [id, progress] of state.progress) {
    assert(progress.match < progress.next, `L10: match not below next for ${id}`);
    assert(progress.next <= log.lastIndex + 1, `L10: next beyond the log for ${id}`);
    assert(progress.inflight <= options.inflightAppendsMax, `window exceeded for ${id}`);
  }
}
