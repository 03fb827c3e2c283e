import { describe, expect, it } from 'vitest';
import { limits } from '../../src/config.ts';
import { InvariantError, must } from '../../src/lib/assert.ts';
import { equalBytes } from '../../src/lib/bytes.ts';
import type { Entry } from '../../src/raft/message.ts';
import type { LogTable } from '../../src/storage/log.ts';
import { blobOf } from '../../src/storage/sql.ts';
import { inScratch, type Scratch } from './scratch.ts';

/** Entries [first, last] of a term; their bytes say which they are. */
function run(first: number, last: number, term: number, bytes = 8): Entry[] {
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const data = new Uint8Array(bytes).fill((first + i) % 251);
    return { index: first + i, term, kind: 0, data };
  });
}

/** "index/term" of each entry in [low, high). */
function read(log: LogTable, low: number, high: number, bytesMax = Infinity): string[] {
  return log.entries(low, high, bytesMax).map(({ index, term }) => `${index}/${term}`);
}

function rowCount({ sql }: Scratch): number {
  return Number(sql.row('SELECT count(*) FROM log_1')?.[0]);
}

describe('the log in SQLite', () => {
  it('is empty at first, and reads back what was appended, in a new instance too', () =>
    inScratch('log-append', (scratch) => {
      const log = scratch.log();
      expect([log.lastIndex, log.commit]).toEqual([0, 0]);
      const entries = [...run(1, 3, 1), ...run(4, 5, 2)];
      log.append(entries, 0);
      log.append(run(6, 6, 2), 5);
      for (const each of [log, scratch.log()]) {
        expect([each.lastIndex, each.commit]).toEqual([6, 5]);
        expect(each.entries(1, 6, Infinity)).toEqual(entries);
        expect([1, 3, 4, 6].map((index) => each.term(index))).toEqual([1, 1, 2, 2]);
      }
    }));

  it('costs one row for a batch of any size', () =>
    inScratch('log-cost', (scratch) => {
      const log = scratch.log();
      log.append(run(1, 1, 1), 0);
      for (const count of [1, 2, 64, 512]) {
        const first = log.lastIndex + 1;
        const entries = run(first, first + count - 1, 1);
        expect(scratch.rowsWritten(() => log.append(entries, first))).toBe(1);
      }
      expect(rowCount(scratch)).toBe(5);
    }));

  it('makes several rows of a batch that does not fit in one', () =>
    inScratch('log-large', (scratch) => {
      const log = scratch.log();
      const entries = run(1, 5, 1, 700_000);
      log.append(entries, 0);
      expect(rowCount(scratch)).toBe(3);
      // Compared by hand: a difference of megabytes would take minutes to print.
      const same = scratch
        .log()
        .entries(1, 6, Infinity)
        .every(({ data }, at) => equalBytes(data, must(entries[at], 'entry').data));
      expect(same).toBe(true);
      log.append(run(4, 6, 2, 700_000), 3);
      expect(read(scratch.log(), 1, 7)).toEqual(['1/1', '2/1', '3/1', '4/2', '5/2', '6/2']);
    }));

  it('holds an entry of the largest request', () =>
    inScratch('log-largest', (scratch) => {
      const bytes = limits.requestBytesMax + limits.entryOverheadBytes;
      scratch.log().append(run(1, 2, 1, bytes), 0);
      expect(scratch.log().entries(2, 3, 1)[0]?.data.length).toBe(bytes);
    }));

  it('keeps empty entries and kinds', () =>
    inScratch('log-kinds', (scratch) => {
      const entries: Entry[] = [
        { index: 1, term: 1, kind: 0, data: new Uint8Array(0) },
        { index: 2, term: 2 ** 40, kind: 1, data: Uint8Array.of(9) },
      ];
      scratch.log().append(entries, 0);
      expect(scratch.log().entries(1, 3, Infinity)).toEqual(entries);
    }));

  it('reads at least one entry, then as many as fit', () =>
    inScratch('log-page', (scratch) => {
      const log = scratch.log();
      log.append(run(1, 4, 1, 100), 0);
      log.append(run(5, 8, 1, 100), 0);
      expect(read(log, 2, 9, 0)).toEqual(['2/1']);
      expect(read(log, 2, 9, 299)).toEqual(['2/1', '3/1']);
      expect(read(log, 2, 9, 300)).toEqual(['2/1', '3/1', '4/1']);
      expect(read(log, 3, 7, 10_000)).toEqual(['3/1', '4/1', '5/1', '6/1']);
      expect(read(log, 3, 3, 10_000)).toEqual([]);
    }));

  it('refuses a gap and an index that it does not have', () =>
    inScratch('log-gap', (scratch) => {
      const log = scratch.log(10);
      expect(log.lastIndex).toBe(10);
      expect(() => log.append(run(12, 12, 1), 0)).toThrow(InvariantError);
      expect(() => log.append([], 0)).toThrow(InvariantError);
      log.append(run(11, 12, 1), 0);
      expect(() => log.term(10)).toThrow(InvariantError);
      expect(() => log.term(13)).toThrow(InvariantError);
      expect(() => log.entries(12, 14, Infinity)).toThrow(InvariantError);
    }));
});

describe('replacing a tail', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])('from index %d on', (from) =>
    inScratch(`log-tail-${from}`, (scratch) => {
      const log = scratch.log();
      log.append(run(1, 3, 1), 0);
      log.append(run(4, 4, 1), 0);
      log.append(run(5, 9, 1), 3);
      // Read first: what was read must not be remembered beyond the replacement.
      for (let index = 1; index <= 9; index++) log.term(index);
      log.append(run(from, from + 1, 2), 3);
      const kept = run(1, from - 1, 1).map(({ index }) => `${index}/1`);
      for (const each of [log, scratch.log()]) {
        expect(each.lastIndex).toBe(from + 1);
        expect(read(each, 1, from + 2)).toEqual([...kept, `${from}/2`, `${from + 1}/2`]);
        expect(() => each.term(from + 2)).toThrow(InvariantError);
      }
    }),
  );
});

/** Fills whole segments of one-entry batches, and a little of the next. */
function fillSegments(log: LogTable, segments: number): number {
  const last = segments * limits.logSegmentRows + 10;
  for (let index = log.lastIndex + 1; index <= last; index++) log.append(run(index, index, 1), 0);
  return last;
}

describe('segments', () => {
  it('are tables of a bounded number of rows, dropped whole at no cost', () =>
    inScratch('log-segments', (scratch) => {
      const { logSegmentRows } = limits;
      const log = scratch.log();
      const last = fillSegments(log, 2);
      expect(scratch.tables('log_')).toEqual(['log_1', 'log_2', 'log_3']);
      log.compact(logSegmentRows - 1);
      expect(scratch.tables('log_')).toHaveLength(3);
      // One row: the list of segments. The thousands in the table cost nothing.
      const dropped = scratch.rowsWritten(() => log.compact(logSegmentRows));
      expect(dropped).toBeLessThanOrEqual(2);
      expect(scratch.tables('log_')).toEqual(['log_2', 'log_3']);
      const again = scratch.log(logSegmentRows);
      expect(again.term(logSegmentRows + 1)).toBe(1);
      expect(() => again.term(logSegmentRows)).toThrow(InvariantError);
      log.compact(last);
      expect(scratch.tables('log_')).toEqual(['log_3']);
      expect(scratch.log(last).lastIndex).toBe(last);
    }));

  it('after the place of a replaced tail are dropped', () =>
    inScratch('log-across', (scratch) => {
      const { logSegmentRows } = limits;
      const log = scratch.log();
      fillSegments(log, 2);
      const from = logSegmentRows - 5;
      log.append(run(from, from + 20, 2), 0);
      expect(scratch.tables('log_')).toHaveLength(1 + 1);
      for (const each of [log, scratch.log()]) {
        expect(each.lastIndex).toBe(from + 20);
        expect([from - 1, from, from + 20].map((index) => each.term(index))).toEqual([1, 2, 2]);
        expect(() => each.term(from + 21)).toThrow(InvariantError);
      }
      // The tables of the dropped segments come back empty.
      fillSegments(log, 2);
      expect(scratch.log().term(2 * logSegmentRows)).toBe(1);
    }));

  it('are all dropped for a snapshot, after which the log goes on behind it', () =>
    inScratch('log-reset', (scratch) => {
      const log = scratch.log();
      log.append(run(1, 9, 1), 4);
      log.term(9);
      log.reset(100);
      expect(scratch.tables('log_')).toEqual([]);
      expect([log.lastIndex, log.commit]).toEqual([100, 0]);
      expect(() => log.term(9)).toThrow(InvariantError);
      expect(scratch.log(100).lastIndex).toBe(100);
      log.append(run(101, 102, 3), 100);
      expect(read(scratch.log(100), 101, 103)).toEqual(['101/3', '102/3']);
    }));
});

describe('a damaged row', () => {
  it('is never answered from, whichever byte it is', () =>
    inScratch('log-damage', (scratch) => {
      scratch.log().append(run(1, 3, 1), 0);
      scratch.log().append(run(4, 4, 1), 2);
      const { sql } = scratch;
      const whole = blobOf(must(sql.row('SELECT body FROM log_1 WHERE first = 1'), 'row')[0]);
      const write = (body: Uint8Array) =>
        sql.run('UPDATE log_1 SET body = ? WHERE first = 1', body);
      for (let at = 0; at < whole.length; at++) {
        write(whole.map((byte, i) => (i === at ? byte ^ 0x10 : byte)));
        const log = scratch.log();
        expect(() => log.term(2), `byte ${at}`).toThrow(InvariantError);
        expect(() => log.entries(1, 4, Infinity), `byte ${at}`).toThrow(InvariantError);
        expect(log.term(4)).toBe(1);
        write(whole.subarray(0, at));
        expect(() => scratch.log().term(1), `cut at ${at}`).toThrow(InvariantError);
      }
      write(whole);
      expect(scratch.log().term(1)).toBe(1);
    }));

  it('at the end keeps the log from being opened', () =>
    inScratch('log-damage-last', (scratch) => {
      scratch.log().append(run(1, 2, 1), 0);
      scratch.sql.run("UPDATE log_1 SET body = x'0102030405060708'");
      expect(() => scratch.log()).toThrow('log row 1 is damaged');
    }));

  it('is one that moved to another index', () =>
    inScratch('log-moved', (scratch) => {
      scratch.log().append(run(1, 2, 1), 0);
      scratch.log().append(run(3, 4, 1), 0);
      scratch.sql.run('UPDATE log_1 SET first = 2 WHERE first = 1');
      expect(() => scratch.log().term(2)).toThrow(InvariantError);
    }));

  it('is one that is missing', () =>
    inScratch('log-missing', (scratch) => {
      for (let index = 1; index <= 3; index++) scratch.log().append(run(index, index, 1), 0);
      scratch.sql.run('DELETE FROM log_1 WHERE first = 2');
      expect(() => scratch.log().term(2)).toThrow('entry 2 is not in the log');
      expect(() => scratch.log().entries(1, 4, Infinity)).toThrow(InvariantError);
    }));
});
