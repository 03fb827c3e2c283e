import { expect, test } from 'vitest';
import { backoff, nextBackoffMs } from './member.ts';

test('the wait doubles to its maximum and starts over after a long life', () => {
  const waits: number[] = [];
  let waitMs: number | null = null;
  for (let i = 0; i < 7; i++) {
    waitMs = nextBackoffMs(waitMs, 1_000);
    waits.push(waitMs);
  }
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  expect(nextBackoffMs(waitMs, backoff.resetAfterMs)).toBe(500);
});
