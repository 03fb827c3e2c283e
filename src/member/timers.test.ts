import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Timers } from './timers.ts';

const START_MS = 1_000_000;

/** Timers on a clock of their own that runs with the faked one; rings are written down. */
class Rig {
  readonly timers = new Timers(() => Date.now() - START_MS);
  readonly rings: number[] = [];

  set(atMs: number | null): void {
    this.timers.set(atMs, () => this.rings.push(Date.now() - START_MS));
  }
}

beforeEach(() => {
  vi.useFakeTimers({ now: START_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the alarm', () => {
  it('rings at its time, once', () => {
    const rig = new Rig();
    rig.set(100);
    vi.advanceTimersByTime(99);
    expect(rig.rings).toEqual([]);
    vi.advanceTimersByTime(1_000);
    expect(rig.rings).toEqual([100]);
  });

  it('is moved to an earlier time', () => {
    const rig = new Rig();
    rig.set(100);
    rig.set(50);
    vi.advanceTimersByTime(1_000);
    expect(rig.rings).toEqual([50]);
  });

  it('rings early when a later time is wished for, and can then be set again', () => {
    const rig = new Rig();
    rig.set(50);
    rig.set(100);
    vi.advanceTimersByTime(60);
    expect(rig.rings).toEqual([50]);
    rig.set(100);
    vi.advanceTimersByTime(1_000);
    expect(rig.rings).toEqual([50, 100]);
  });

  it('is taken back', () => {
    const rig = new Rig();
    rig.set(50);
    rig.set(null);
    vi.advanceTimersByTime(1_000);
    expect(rig.rings).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    rig.set(1_200);
    vi.advanceTimersByTime(1_000);
    expect(rig.rings).toEqual([1_200]);
  });

  it('rings soon for a time that has passed', () => {
    const rig = new Rig();
    vi.advanceTimersByTime(500);
    rig.set(100);
    expect(rig.rings).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(rig.rings).toHaveLength(1);
  });

  it('can be set while it rings', () => {
    const rig = new Rig();
    let left = 3;
    const ring = () => {
      rig.rings.push(Date.now() - START_MS);
      if (--left > 0) rig.timers.set(Date.now() - START_MS + 10, ring);
    };
    rig.timers.set(10, ring);
    vi.advanceTimersByTime(1_000);
    expect(rig.rings).toEqual([10, 20, 30]);
  });
});

describe('the other timers', () => {
  it('do not disturb the alarm or each other', async () => {
    const rig = new Rig();
    const order: string[] = [];
    rig.set(20);
    rig.timers.after(() => order.push('after'), 10);
    rig.timers.defer(() => order.push('deferred'));
    void rig.timers.sleep(15).then(() => order.push('slept'));
    await vi.advanceTimersByTimeAsync(30);
    expect(order).toEqual(['deferred', 'after', 'slept']);
    expect(rig.rings).toEqual([20]);
  });

  it('defer to a turn of its own', () => {
    const rig = new Rig();
    let rung = false;
    rig.timers.defer(() => {
      rung = true;
    });
    expect(rung).toBe(false);
    vi.advanceTimersByTime(1);
    expect(rung).toBe(true);
  });
});
