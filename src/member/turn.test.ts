import { describe, expect, test } from 'vitest';
import type { AppendRequest } from '../raft/message.ts';
import type { Output } from '../raft/output.ts';
import { maySendAhead, type Turn } from './turn.ts';

const append: AppendRequest = {
  ...{ type: 'append', from: 'a', to: 'b', term: 1, epoch: 1, prevIndex: 1, prevTerm: 1 },
  ...{ entries: [], commit: 1, round: 1, quiesce: false },
};
const entry = { index: 2, term: 1, kind: 0 as const, data: new Uint8Array() };
const persist = { sequence: 1, hardState: null, entries: [entry], snapshot: null, commit: 1 };

/** A leader's turn that has sent one append of what it is going to write. */
function turn(output: Partial<Output>, rest: Partial<Turn> = {}): Turn {
  const nothing = { apply: [], reads: [], readFailures: [], dropped: [], snapshotsWanted: [] };
  const base = { sendNow: [append], sendAfterPersist: [], persist, softState: null };
  const all: Output = { ...nothing, ...base, deadlineMs: null, more: false, ...output };
  return { nowMs: 0, output: all, answering: [], compacted: null, ...rest };
}

test('a leader that only replicates sends first', () => {
  expect(maySendAhead('leader', turn({}))).toBe(true);
});

describe('written in the same event is', () => {
  const softState = { role: 'leader' as const, leader: 'a', term: 1 };
  const request = { from: 'b', wait: 'turn' as const, reply: () => {}, sinceMs: 0 };
  const meta = { index: 1, term: 1, confState: {} as never };
  test.each<[string, Turn]>([
    ['what nobody is told of', turn({ sendNow: [] })],
    ['nothing', turn({ persist: null })],
    ['a term or a vote', turn({ persist: { ...persist, hardState: { term: 1, vote: 'a' } } })],
    ['a snapshot', turn({ persist: { ...persist, snapshot: { meta, transferId: 'x' } } })],
    ['what is acknowledged', turn({ sendAfterPersist: [append] })],
    ['what is applied with it', turn({ apply: [entry] })],
    ['what a snapshot is read after', turn({ snapshotsWanted: ['b'] })],
    ['the beginning of a leadership', turn({ softState })],
    ['what a peer waits for', turn({}, { answering: [request] })],
    ['a compaction', turn({}, { compacted: 1 })],
  ])('%s', (_, given) => {
    expect(maySendAhead('leader', given)).toBe(false);
  });

  test('whatever a follower writes', () => {
    expect(maySendAhead('follower', turn({}))).toBe(false);
  });
});
