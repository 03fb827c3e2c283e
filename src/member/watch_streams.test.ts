import { describe, expect, it } from 'vitest';
import { seededPrng } from '../lib/prng.ts';
import { header } from '../watch/testing/client.ts';
import { WatchStreams } from './watch_streams.ts';

/** Streams at a clock that a test moves. */
class Clock {
  nowMs = 0;
  term = 3;
  headersMade = 0;
  readonly intervalMs = 1_000;
  readonly prng = seededPrng(1);
  #timers: { atMs: number; callback: () => void }[] = [];

  get timerCount(): number {
    return this.#timers.length;
  }

  readonly streams = new WatchStreams({
    nowMs: () => this.nowMs,
    setTimer: (callback, ms) => void this.#timers.push({ atMs: this.nowMs + ms, callback }),
    prng: this.prng,
    intervalMs: this.intervalMs,
    header: (revision) => {
      this.headersMade++;
      return { ...header(revision), raftTerm: BigInt(this.term) };
    },
    termOf: () => this.term,
  });

  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= endMs);
      const next = due.sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.nowMs = next.atMs;
      next.callback();
    }
    this.nowMs = endMs;
  }

  stream(wantsProgress: boolean) {
    const stream = {
      wantsProgress,
      noticesMs: [] as number[],
      rechecks: 0,
      notifyProgress: () => void stream.noticesMs.push(this.nowMs),
      recheck: () => void stream.rechecks++,
    };
    this.streams.add(stream);
    this.streams.changed(stream);
    return stream;
  }
}

describe('notices of progress', () => {
  it('come to each stream at its own time, once an interval and a tenth more at most', () => {
    const clock = new Clock();
    const streams = Array.from({ length: 20 }, () => clock.stream(true));
    clock.advance(10_000);
    for (const { noticesMs } of streams) {
      const gaps = noticesMs.map((atMs, i) => atMs - (noticesMs[i - 1] ?? 0));
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1_000);
      // The jitter, and the time until streams are looked at.
      expect(Math.max(...gaps)).toBeLessThanOrEqual(1_120);
    }
    expect(new Set(streams.map(({ noticesMs }) => noticesMs.join())).size).toBeGreaterThan(10);
  });

  it('need no timer while nobody wants them', () => {
    const clock = new Clock();
    const silent = clock.stream(false);
    expect(clock.timerCount).toBe(0);
    const stream = clock.stream(true);
    expect(clock.timerCount).toBe(1);
    clock.streams.delete(stream);
    silent.wantsProgress = true;
    clock.streams.changed(silent);
    silent.wantsProgress = false;
    clock.streams.changed(silent);
    clock.advance(5_000);
    expect(clock.timerCount).toBe(0);
    expect([...stream.noticesMs, ...silent.noticesMs]).toEqual([]);
  });
});

describe('the streams of a member', () => {
  it('are asked again when rights have changed', () => {
    const clock = new Clock();
    const [first, second] = [clock.stream(false), clock.stream(true)];
    clock.streams.delete(first);
    clock.streams.recheck();
    expect([first.rechecks, second.rechecks, clock.streams.size]).toEqual([0, 1, 1]);
  });

  it('share the header of a revision, until the term changes', () => {
    const { streams } = new Clock();
    const header = streams.header(5);
    expect(streams.header(5)).toBe(header);
    expect(streams.header(6)).not.toBe(header);
    const clock = new Clock();
    const before = clock.streams.header(5);
    clock.term++;
    expect(clock.streams.header(5)).not.toBe(before);
    expect(clock.streams.header().revision).toBe(0n);
    expect(clock.headersMade).toBe(3);
  });
});
