import { describe, expect, it } from 'vitest';
import {
  AutoCompactor,
  type AutoCompactorHost,
  autoCompactionPlan,
  compactionSchedule,
} from './auto_compaction.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

describe('ETCD_AUTO_COMPACTION_RETENTION', () => {
  it('is a duration, a bare number of hours, or a number of revisions', () => {
    expect(autoCompactionPlan('periodic', '1')).toEqual({ mode: 'periodic', retentionMs: HOUR_MS });
    expect(autoCompactionPlan('periodic', '30m')).toEqual({
      mode: 'periodic',
      retentionMs: 30 * MINUTE_MS,
    });
    expect(autoCompactionPlan('revision', '1000')).toEqual({ mode: 'revision', retention: 1_000 });
    for (const mode of ['periodic', 'revision'] as const) {
      expect(autoCompactionPlan(mode, '0')).toBeNull();
      expect(autoCompactionPlan(mode, 'soon')).toBeUndefined();
    }
    expect(autoCompactionPlan('periodic', '-1h')).toBeUndefined();
    expect(autoCompactionPlan('revision', '1h')).toBeUndefined();
  });
});

/** A member in a time of its own, which writes one revision a minute. */
class Rig implements AutoCompactorHost {
  timeMs = 0;
  isLeader = true;
  isAwake = true;
  failing = false;
  readonly compacted: (readonly [minute: number, revision: number])[] = [];
  readonly warnings: string[] = [];
  compactor: AutoCompactor | null = null;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  nowMs = () => this.timeMs;
  revision = () => 1 + Math.floor(this.timeMs / MINUTE_MS);
  leading = () => this.isLeader;
  awake = () => this.isAwake;

  async compact(revision: number): Promise<void> {
    if (this.failing) throw new Error('no quorum');
    this.compacted.push([this.timeMs / MINUTE_MS, revision]);
  }

  setTimer(callback: () => void, ms: number): void {
    this.#timers.push({ atMs: this.timeMs + ms, callback });
  }

  log(level: string, message: string): void {
    if (level === 'warn') this.warnings.push(message);
  }

  get timerCount(): number {
    return this.#timers.length;
  }

  async run(untilMinute: number): Promise<void> {
    for (;;) {
      const next = this.#timers.sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > untilMinute * MINUTE_MS) break;
      this.#timers.shift();
      this.timeMs = next.atMs;
      next.callback();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.timeMs = untilMinute * MINUTE_MS;
  }
}

async function started(
  retention: string,
  mode: 'periodic' | 'revision' = 'periodic',
  rig = new Rig(),
) {
  const plan = autoCompactionPlan(mode, retention);
  if (!plan) throw new Error('no plan');
  rig.compactor = new AutoCompactor(rig, plan);
  rig.compactor.wake();
  return rig;
}

/** Asleep until somebody writes. */
class SleepyRig extends Rig {
  override isAwake = false;
  #revision = 1;

  override revision = () => this.#revision;

  write(count: number): void {
    this.#revision += count;
    this.compactor?.wake();
  }
}

describe('a cluster that sleeps', () => {
  it('has no timer but for one look after what was written', async () => {
    const rig = await started('1h', 'periodic', new SleepyRig());
    expect(rig.timerCount).toBe(1);
    await rig.run(600);
    expect(rig.timerCount).toBe(0);
  });

  it('compacts by time after it was woken, what was there for the whole retention', async () => {
    const rig = new SleepyRig();
    await started('1h', 'periodic', rig);
    rig.write(9);
    await rig.run(30);
    rig.write(100);
    await rig.run(50);
    expect(rig.compacted).toEqual([]);
    rig.write(1);
    await rig.run(90);
    rig.write(1);
    // The oldest of eleven samples is from before the second write.
    await rig.run(200);
    expect(rig.compacted).toEqual([[96, 10]]);
    expect(rig.timerCount).toBe(0);
  });

  it('compacts by number after each burst', async () => {
    const rig = new SleepyRig();
    await started('10', 'revision', rig);
    rig.write(100);
    await rig.run(60);
    rig.write(5);
    await rig.run(120);
    expect(rig.compacted).toEqual([
      [5, 91],
      [65, 96],
    ]);
    expect(rig.timerCount).toBe(0);
  });
});

describe('periodic compaction', () => {
  it('keeps an hour: the first time after one, then every hour', async () => {
    const rig = await started('1h');
    await rig.run(59);
    expect(rig.compacted).toEqual([]);
    await rig.run(200);
    // Of eleven samples, six minutes apart, the oldest: etcd's window is an hour and one sample.
    expect(rig.compacted).toEqual([
      [60, 1],
      [120, 55],
      [180, 115],
    ]);
  });

  it('keeps less than an hour: as often as that', async () => {
    const rig = await started('5m');
    await rig.run(21);
    expect(rig.compacted).toEqual([
      [5, 1],
      [10, 5],
      [15, 10],
      [20, 15],
    ]);
  });

  it('keeps a day: after a day, then every hour what is a day old', async () => {
    const rig = await started('24');
    await rig.run(26 * 60);
    expect(rig.compacted).toEqual([
      [1_440, 1],
      [1_500, 55],
      [1_560, 115],
    ]);
  });

  it('tries again at the next look when it failed', async () => {
    const rig = await started('1h');
    rig.failing = true;
    await rig.run(67);
    expect(rig.warnings).toHaveLength(2);
    rig.failing = false;
    await rig.run(73);
    expect(rig.compacted).toEqual([[72, 7]]);
  });

  it('is taken over by a new leader with the samples of its time as a follower', async () => {
    const rig = await started('1h');
    rig.isLeader = false;
    await rig.run(100);
    expect(rig.compacted).toEqual([]);
    rig.isLeader = true;
    await rig.run(103);
    expect(rig.compacted).toEqual([[102, 37]]);
  });

  it('does nothing while nothing is written', () => {
    const schedule = compactionSchedule({ mode: 'periodic', retentionMs: HOUR_MS }, 0, 5);
    let due: number | null = null;
    for (let minute = 6; due === null; minute += 6)
      due = schedule.look(minute * MINUTE_MS, 5, true);
    expect(due).toBe(5);
    schedule.compacted(HOUR_MS, 5);
    for (let minute = 66; minute < 600; minute += 6) {
      expect(schedule.look(minute * MINUTE_MS, 5, true)).toBeNull();
    }
  });
});

describe('compaction by revision', () => {
  it('keeps so many, looking every five minutes, while this member leads', async () => {
    const rig = await started('10', 'revision');
    await rig.run(21);
    rig.isLeader = false;
    await rig.run(31);
    expect(rig.compacted).toEqual([
      [10, 1],
      [15, 6],
      [20, 11],
    ]);
  });
});
