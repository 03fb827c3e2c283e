import { describe, expect, it } from 'vitest';
import type { Message } from '../raft/message.ts';
import type { Output, PersistBatch } from '../raft/output.ts';
import { Vouching, vouches } from './vouching.ts';

const SILENT: Output = {
  sendNow: [],
  persist: null,
  sendAfterPersist: [],
  apply: [],
  reads: [],
  readFailures: [],
  dropped: [],
  snapshotsWanted: [],
  softState: null,
  deadlineMs: null,
  more: false,
};

const ROWS: PersistBatch = { sequence: 1, hardState: null, entries: [], snapshot: null, commit: 0 };

const envelope = { from: 'a', to: 'b', term: 1, epoch: 1 } as const;
const READ: Message = { ...envelope, type: 'read', id: 1 };
const READ_REPLY: Message = { ...envelope, type: 'readReply', id: 1, index: 7 };
const PROPOSE: Message = { ...envelope, type: 'propose', proposals: [] };
const ACKNOWLEDGED: Message = {
  ...envelope,
  type: 'appendReply',
  round: 1,
  accepted: true,
  index: 7,
  hintIndex: 0,
  hintTerm: 0,
  attended: false,
};

describe('a turn gives its word', () => {
  it('by the question or the answer about a read', () => {
    expect(vouches({ ...SILENT, sendNow: [PROPOSE, READ] })).toBe(true);
    expect(vouches({ ...SILENT, sendNow: [READ_REPLY] })).toBe(true);
    expect(vouches({ ...SILENT, sendNow: [READ_REPLY], persist: ROWS })).toBe(true);
  });

  it('by serving reads itself', () => {
    expect(vouches({ ...SILENT, reads: [{ id: 1, index: 7 }] })).toBe(true);
  });

  it('by an acknowledgement for which nothing is written', () => {
    expect(vouches({ ...SILENT, sendAfterPersist: [ACKNOWLEDGED] })).toBe(true);
    expect(vouches({ ...SILENT, sendNow: [ACKNOWLEDGED], persist: ROWS })).toBe(true);
  });
});

describe('a turn gives no word of its own', () => {
  it('when rows stand behind it', () => {
    expect(vouches({ ...SILENT, sendAfterPersist: [ACKNOWLEDGED], persist: ROWS })).toBe(false);
  });

  it('when it only hands on what others want, or is silent', () => {
    expect(vouches({ ...SILENT, sendNow: [PROPOSE] })).toBe(false);
    expect(vouches(SILENT)).toBe(false);
  });
});

describe('a member that speaks', () => {
  const speaking = { ...SILENT, sendNow: [PROPOSE] };

  it('looks at least so often, though its word is nothing that counts', () => {
    const vouching = new Vouching(100);
    const looks = [0, 50, 99, 100, 150, 200].map((nowMs) => vouching.needsLook(speaking, nowMs));
    expect(looks).toEqual([true, false, false, true, false, true]);
  });

  it('looks whenever it vouches, and not at all while it is silent', () => {
    const vouching = new Vouching(100);
    const reading = { ...SILENT, sendNow: [READ] };
    expect([0, 1].map((nowMs) => vouching.needsLook(reading, nowMs))).toEqual([true, true]);
    expect(vouching.needsLook(SILENT, 1_000)).toBe(false);
  });
});
