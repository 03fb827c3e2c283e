import { describe, expect, test } from 'vitest';
import { entryBytes, RaftLog } from './log.ts';
import { votersOnly } from './membership.ts';
import type { Entry, SnapshotMeta } from './message.ts';
import { entry, MemoryDisk, memberId, testOptions } from './testing.ts';
import { logOfTerms } from './testing_solo.ts';

const CONF = votersOnly([memberId(1)]);

function meta(index: number, term: number): SnapshotMeta {
  return { index, term, confState: CONF };
}

interface Opened {
  readonly log: RaftLog;
  readonly disk: MemoryDisk;
  /** Takes what is unsaved, as batch `sequence`, and writes it. */
  save(sequence: number): readonly Entry[];
}

function open(entries: readonly Entry[] = [], cacheBytesMax = 100_000): Opened {
  const disk = new MemoryDisk(CONF);
  disk.log = [...entries];
  const log = new RaftLog(testOptions(memberId(1), { cacheBytesMax }), disk.initial(), disk);
  const save = (sequence: number) => {
    const taken = log.takeUnsaved(sequence);
    disk.write({ sequence, hardState: null, entries: taken, snapshot: null, commit: log.commit });
    return taken;
  };
  return { log, disk, save };
}

describe('what is durable', () => {
  test('is what was on disk at the start', () => {
    expect(open(logOfTerms(1, 1, 2)).log.durableIndex).toBe(3);
  });

  test('grows with the confirmation of the batch that wrote it, not before', () => {
    const { log, save } = open();
    log.append(logOfTerms(1, 1));
    expect(save(1).length).toBe(2);
    expect(log.durableIndex).toBe(0);
    log.append([entry(3, 1)]);
    expect(save(2).map(({ index }) => index)).toEqual([3]);
    log.confirmSaved(1);
    expect(log.durableIndex).toBe(2);
    log.confirmSaved(2);
    expect(log.durableIndex).toBe(3);
  });

  test('one confirmation covers all earlier batches', () => {
    const { log, save } = open();
    for (let i = 1; i <= 3; i++) {
      log.append([entry(i, 1)]);
      save(i);
    }
    log.confirmSaved(3);
    expect(log.durableIndex).toBe(3);
    log.confirmSaved(2);
    expect(log.durableIndex).toBe(3);
  });

  test('does not count an older batch for entries that replaced its own (ABA)', () => {
    const { log, save } = open(logOfTerms(1));
    log.append([entry(2, 1), entry(3, 1)]);
    save(1);
    log.truncateFrom(2);
    log.append([entry(2, 2), entry(3, 2)]);
    save(2);
    log.confirmSaved(1);
    expect(log.durableIndex).toBe(1);
    log.confirmSaved(2);
    expect(log.durableIndex).toBe(3);
  });

  test('survives three replacements confirmed out of step', () => {
    const { log, save } = open();
    for (let term = 1; term <= 3; term++) {
      if (term > 1) log.truncateFrom(1);
      log.append(logOfTerms(...new Array<number>(4 - term).fill(term)));
      save(term);
    }
    log.confirmSaved(2);
    expect(log.durableIndex).toBe(0);
    log.confirmSaved(3);
    expect(log.durableIndex).toBe(1);
  });

  test('falls with a truncation below it', () => {
    const { log } = open(logOfTerms(1, 1, 1));
    log.truncateFrom(2);
    expect(log.durableIndex).toBe(1);
    expect(log.lastIndex).toBe(1);
  });
});

describe('appending', () => {
  test('refuses gaps and falling terms (L2)', () => {
    const { log } = open(logOfTerms(1, 3));
    expect(() => log.append([entry(4, 3)])).toThrow(/gap/);
    expect(() => log.append([entry(3, 2)])).toThrow(/term decreases/);
  });

  test('never gives up a committed entry (L8)', () => {
    const { log } = open(logOfTerms(1, 1));
    log.commitTo(1);
    expect(() => log.truncateFrom(1)).toThrow(/committed/);
    log.truncateFrom(2);
    expect(log.lastIndex).toBe(1);
  });

  test('replaces entries that no batch held yet', () => {
    const { log, save } = open();
    log.append(logOfTerms(1, 1));
    log.truncateFrom(2);
    log.append([entry(2, 2)]);
    expect(save(1).map(({ term }) => term)).toEqual([1, 2]);
  });
});

describe('the cache', () => {
  const size = entryBytes(entry(1, 1, '1@1'));

  test('gives up the oldest durable entries when it is full, and reads them back', () => {
    const { log, disk, save } = open([], size * 10);
    log.append(logOfTerms(...new Array<number>(20).fill(1)));
    save(1);
    expect(log.cacheBytes).toBe(size * 20 + 11); // Eleven indexes have a second digit.
    log.confirmSaved(1);
    expect(log.cacheBytes).toBeLessThanOrEqual(size * 10);
    expect(log.lastIndex).toBe(20);
    expect(disk.reads).toBe(0);
    expect(log.slice(1, 3, 1_000).map(({ index }) => index)).toEqual([1, 2]);
    expect(disk.reads).toBe(1);
    expect(log.term(2)).toBe(1);
  });

  test('keeps what is not durable, however much it is', () => {
    const { log, save } = open([], size);
    log.append(logOfTerms(1, 1, 1, 1));
    save(1);
    log.append([entry(5, 1)]);
    log.confirmSaved(1);
    expect(log.slice(5, 6, 1_000).length).toBe(1);
    expect(save(2).map(({ index }) => index)).toEqual([5]);
  });

  test('answers across the border of disk and cache piece by piece', () => {
    const { log } = open(logOfTerms(1, 1));
    log.append([entry(3, 1), entry(4, 1)]);
    expect(log.slice(1, 5, 10_000).map(({ index }) => index)).toEqual([1, 2]);
    expect(log.slice(3, 5, 10_000).map(({ index }) => index)).toEqual([3, 4]);
  });

  test('a truncation into the part on disk starts it anew', () => {
    const { log, save } = open(logOfTerms(1, 1, 1));
    log.truncateFrom(2);
    log.append([entry(2, 2)]);
    save(1);
    expect(log.term(2)).toBe(2);
    expect(log.term(1)).toBe(1);
  });
});

describe('slices', () => {
  test('hold at least one entry and no more bytes than asked for', () => {
    const { log } = open();
    log.append(logOfTerms(1, 1, 1, 1));
    const size = entryBytes(entry(1, 1, '1@1'));
    expect(log.slice(1, 5, 0).length).toBe(1);
    expect(log.slice(1, 5, size * 2).length).toBe(2);
    expect(log.slice(1, 5, size * 2 - 1).length).toBe(1);
    expect(log.slice(3, 3, size)).toEqual([]);
  });
});

describe('the election restriction', () => {
  test.each([
    [2, 2, true],
    [1, 3, true],
    [3, 2, true],
    [1, 2, false],
    [9, 1, false],
  ])('a log ending at index %i, term %i may win against 2@2: %s', (index, term, may) => {
    expect(open(logOfTerms(1, 2)).log.isUpToDate(index, term)).toBe(may);
  });
});

describe('repair hints', () => {
  test.each([
    [9, 9, 0, 6],
    [6, 2, 0, 4],
    [6, 1, 0, 2],
    [5, 3, 0, 5],
    [6, 0, 0, 0],
    [6, 0, 3, 3],
  ])('from %i with term %i, not below %i: %i', (index, term, floor, expected) => {
    expect(open(logOfTerms(1, 1, 2, 2, 3, 3)).log.lastNotAbove(index, term, floor)).toBe(expected);
  });
});

describe('compaction', () => {
  test('goes no further than what is applied', () => {
    const { log } = open(logOfTerms(1, 1, 2));
    log.commitTo(3);
    log.handOut(10_000);
    log.appliedTo(2);
    log.compactTo(3);
    expect(log.firstIndex).toBe(3);
    expect(log.term(2)).toBe(1);
    expect(() => log.term(1)).toThrow(/compacted/);
    expect(() => log.slice(2, 4, 100)).toThrow(/compacted/);
    expect(log.matches(1, 1)).toBe(false);
  });

  test('of the whole log leaves its last index and term', () => {
    const { log } = open(logOfTerms(1, 2));
    log.commitTo(2);
    log.handOut(10_000);
    log.appliedTo(2);
    log.compactTo(9);
    expect([log.firstIndex, log.lastIndex, log.lastTerm]).toEqual([3, 2, 2]);
    log.append([entry(3, 2)]);
    log.compactTo(2);
    expect(log.lastIndex).toBe(3);
  });

  test('frees memory', () => {
    const { log, save } = open();
    log.append(logOfTerms(1, 1, 1));
    save(1);
    log.commitTo(2);
    log.handOut(10_000);
    log.appliedTo(2);
    log.compactTo(2);
    expect(log.cacheBytes).toBe(entryBytes(entry(3, 1, '3@1')));
    log.confirmSaved(1);
    expect(log.durableIndex).toBe(3);
  });
});

describe('committed entries', () => {
  test('are handed out once, in order, in bounded portions', () => {
    const { log } = open(logOfTerms(1, 1, 1));
    expect(log.commitTo(3)).toBe(true);
    expect(log.commitTo(2)).toBe(false);
    expect(log.handOut(1).map(({ index }) => index)).toEqual([1]);
    expect(log.handOut(10_000).map(({ index }) => index)).toEqual([2, 3]);
    expect(log.handOut(10_000)).toEqual([]);
  });

  test('cannot be applied before they are handed out, nor committed beyond the log', () => {
    const { log } = open(logOfTerms(1, 1));
    log.commitTo(2);
    expect(() => log.appliedTo(1)).toThrow(/not handed out/);
    expect(() => log.commitTo(3)).toThrow(/beyond the log/);
  });
});

describe('a snapshot', () => {
  test('replaces everything, and is durable with its own batch only', () => {
    const { log, save } = open(logOfTerms(1));
    log.append([entry(2, 1)]);
    save(1);
    log.reset(meta(10, 3));
    expect([log.firstIndex, log.lastIndex, log.commit, log.handedOut]).toEqual([11, 10, 10, 10]);
    expect(log.term(10)).toBe(3);
    save(2);
    log.confirmSaved(1);
    expect(log.durableIndex).toBeLessThan(10);
    log.confirmSaved(2);
    expect(log.durableIndex).toBe(10);
  });

  test('behind the commit index is refused', () => {
    const { log } = open(logOfTerms(1, 1));
    log.commitTo(2);
    expect(() => log.reset(meta(2, 1))).toThrow(/behind the commit index/);
  });

  test('makes earlier reports of applied entries meaningless', () => {
    const { log } = open(logOfTerms(1, 1));
    log.commitTo(2);
    log.handOut(10_000);
    log.reset(meta(10, 3));
    log.appliedTo(2);
    expect(log.applied).toBe(10);
  });
});

describe('a start from rows that contradict each other is refused', () => {
  const reader = new MemoryDisk(CONF);
  const start = (fields: object) =>
    new RaftLog(testOptions(memberId(1)), { ...reader.initial(), ...fields }, reader);
  test.each([
    [{ lastIndex: 3, snapshot: meta(4, 1), applied: 4 }, /ends before/],
    [{ lastIndex: 4, snapshot: meta(4, 1), applied: 3 }, /older than the compaction/],
    [{ lastIndex: 4, applied: 5 }, /newer than the log/],
  ])('%o', (fields, message) => {
    expect(() => start(fields)).toThrow(message);
  });

  test('but the commit index is only a hint', () => {
    expect(start({ lastIndex: 4, commit: 9 }).commit).toBe(4);
    expect(start({ lastIndex: 4, commit: 0, applied: 2 }).commit).toBe(2);
  });
});
