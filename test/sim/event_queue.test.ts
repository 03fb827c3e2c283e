import { expect, test } from 'vitest';
import { intBetween, seededPrng } from '../../src/lib/prng.ts';
import { EventQueue } from './event_queue.ts';

test('events come in the order of time, and of scheduling at the same time', () => {
  const queue = new EventQueue();
  const prng = seededPrng(7);
  const expected: { atUs: number; order: number }[] = [];
  const seen: { atUs: number; order: number }[] = [];
  for (let order = 0; order < 500; order++) {
    const atUs = intBetween(prng, 0, 50);
    expected.push({ atUs, order });
    queue.push(atUs, () => seen.push({ atUs, order }));
  }
  expected.sort((a, b) => a.atUs - b.atUs || a.order - b.order);
  for (let event = queue.pop(); event !== null; event = queue.pop()) event.run();
  expect(seen).toEqual(expected);
  expect(queue.nextAtUs).toBeNull();
});
