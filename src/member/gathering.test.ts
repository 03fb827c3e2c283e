import { expect, test } from 'vitest';
import { limits } from '../config.ts';
import { Gathering } from './gathering.ts';

test('the first batch and one after a lone write wait for nothing', () => {
  const gathering = new Gathering();
  expect(gathering.isComplete(0, 1, true)).toBe(true);
  gathering.left(1, 100);
  expect(gathering.isComplete(100, 1, true)).toBe(true);
});

test('in a crowd the next batch is complete when the last is committed and as many wait', () => {
  const gathering = new Gathering();
  gathering.left(8, 100);
  expect(gathering.isComplete(101, 8, true)).toBe(false);
  expect(gathering.isComplete(101, 7, false)).toBe(false);
  expect(gathering.isComplete(101, 8, false)).toBe(true);
});

test('however few have come and whatever is under way, it waits no longer than its time', () => {
  const gathering = new Gathering();
  gathering.left(8, 100);
  expect(gathering.dueMs).toBe(100 + limits.gatherMs);
  expect(gathering.isComplete(gathering.dueMs, 1, true)).toBe(true);
});
