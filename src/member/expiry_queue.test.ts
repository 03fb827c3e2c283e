import { describe, expect, it } from 'vitest';
import { intBetween, seededPrng } from '../lib/prng.ts';
import { type Expiring, ExpiryQueue } from './expiry_queue.ts';

interface Item extends Expiring {
  readonly name: number;
}

const item = (name: number, deadlineMs: number): Item => ({ name, deadlineMs, isGone: false });
const names = (items: readonly Item[]) => items.map(({ name }) => name);

describe('takeDue', () => {
  it('takes what is due, soonest first, so many at a time', () => {
    const queue = new ExpiryQueue<Item>();
    for (const deadlineMs of [50, 10, 40, 20, 30]) queue.add(item(deadlineMs, deadlineMs));
    expect(names(queue.takeDue(9, 10))).toEqual([]);
    expect(names(queue.takeDue(40, 3))).toEqual([10, 20, 30]);
    expect(names(queue.takeDue(40, 3))).toEqual([40]);
    expect(names(queue.takeDue(100, 3))).toEqual([50]);
    expect(queue.length).toBe(0);
  });

  it('lets go what was renewed since, until its new time', () => {
    const queue = new ExpiryQueue<Item>();
    const renewed = item(1, 10);
    queue.add(renewed);
    renewed.deadlineMs = 100;
    expect(queue.takeDue(99, 1)).toEqual([]);
    expect(names(queue.takeDue(100, 1))).toEqual([1]);
  });

  it('passes over what is gone', () => {
    const queue = new ExpiryQueue<Item>();
    const gone = item(1, 10);
    queue.add(gone);
    queue.add(item(2, 20));
    gone.isGone = true;
    queue.noteGone();
    expect(names(queue.takeDue(100, 5))).toEqual([2]);
  });
});

it('does not keep what is gone until its time', () => {
  const queue = new ExpiryQueue<Item>();
  const kept = item(0, 5);
  queue.add(kept);
  for (let name = 1; name <= 100_000; name++) {
    const gone = item(name, 1e12);
    queue.add(gone);
    gone.isGone = true;
    queue.noteGone();
  }
  expect(queue.length).toBeLessThan(5_000);
  expect(names(queue.takeDue(5, 1))).toEqual([0]);
});

it('agrees with a list that is searched, whatever is done', () => {
  const prng = seededPrng(7);
  const queue = new ExpiryQueue<Item>();
  let live: Item[] = [];
  let nowMs = 0;
  for (let step = 0; step < 20_000; step++) {
    const what = intBetween(prng, 0, 9);
    const any = live[intBetween(prng, 0, Math.max(0, live.length - 1))];
    if (what < 4) {
      const added = item(step, nowMs + intBetween(prng, 0, 300));
      queue.add(added);
      live.push(added);
    } else if (what < 7 && any) any.deadlineMs = Math.max(any.deadlineMs, nowMs + 250);
    else if (what === 7 && any) {
      any.isGone = true;
      queue.noteGone();
      live = live.filter((each) => each !== any);
    } else {
      nowMs += intBetween(prng, 0, 50);
      const due = queue.takeDue(nowMs, Number.POSITIVE_INFINITY);
      const expected = live.filter(({ deadlineMs }) => deadlineMs <= nowMs);
      expect(names(due).sort()).toEqual(names(expected).sort());
      live = live.filter(({ deadlineMs }) => deadlineMs > nowMs);
    }
  }
});
