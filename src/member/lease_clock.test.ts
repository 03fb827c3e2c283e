import { expect, it } from 'vitest';
import { limits } from '../config.ts';
import { LeaseClock } from './lease_clock.ts';

it('counts the time that passes while it is asked', () => {
  let nowMs = 5_000;
  const clock = new LeaseClock(() => nowMs);
  expect(clock.nowMs()).toBe(0);
  for (let step = 0; step < 10; step++) {
    nowMs += 700;
    clock.nowMs();
  }
  expect(clock.nowMs()).toBe(7_000);
});

it('stands still while the member does, and when its clock is set', () => {
  let nowMs = 0;
  const clock = new LeaseClock(() => nowMs);
  nowMs += 3_600_000;
  expect(clock.nowMs()).toBe(limits.leaseClockStepMsMax);
  nowMs -= 60_000;
  expect(clock.nowMs()).toBe(limits.leaseClockStepMsMax);
  nowMs += 100;
  expect(clock.nowMs()).toBe(limits.leaseClockStepMsMax + 100);
});
