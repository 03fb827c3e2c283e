import { expect, it } from 'vitest';
import { Alarm } from './alarm.ts';

it('rings at the earliest of the wishes, and a later one does not move it', () => {
  const set: (number | null)[] = [];
  const alarm = new Alarm({ setAlarm: (atMs) => void set.push(atMs) });
  alarm.set([null, 30, 20, null]);
  alarm.noLaterThan(25);
  alarm.noLaterThan(10);
  alarm.set([null]);
  alarm.set([]);
  alarm.noLaterThan(5);
  expect(set).toEqual([20, 10, null, null, 5]);
});
