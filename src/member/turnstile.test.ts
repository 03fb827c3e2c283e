import { expect, test } from 'vitest';
import { Turnstile } from './turnstile.ts';

function turnstile() {
  const events: (() => void)[] = [];
  return { events, gate: new Turnstile((callback) => void events.push(callback)) };
}

test('a lone call goes on at once', () => {
  const { gate, events } = turnstile();
  for (let i = 0; i < 15; i++) {
    expect(gate.enter()).toBeNull();
    gate.leave();
  }
  expect(events).toHaveLength(0);
});

test('calls of a crowd wait for one event together', async () => {
  const { gate, events } = turnstile();
  expect(gate.enter()).toBeNull();
  const waiting = [gate.enter(), gate.enter(), gate.enter()];
  expect(new Set(waiting).size).toBe(1);
  expect(events).toHaveLength(1);
  events[0]?.();
  await Promise.all(waiting);
  gate.enter();
  expect(events).toHaveLength(2);
});

test('one of sixteen lone calls lets the others be heard', async () => {
  const { gate, events } = turnstile();
  const waits: boolean[] = [];
  for (let i = 0; i < 48; i++) {
    const event = gate.enter();
    waits.push(event !== null);
    events.shift()?.();
    await event;
    gate.leave();
  }
  expect(waits.filter(Boolean)).toHaveLength(3);
});
