import { beforeEach, expect, test } from 'vitest';
import { Turns } from './turns.ts';

let soon: (() => void)[];
let later: (() => void)[];
let taken: number;
let turns: Turns;

function runAll(): void {
  for (const run of [...soon.splice(0), ...later.splice(0)]) run();
}

beforeEach(() => {
  [soon, later, taken] = [[], [], 0];
  const host = {
    soon: (callback: () => void) => void soon.push(callback),
    defer: (callback: () => void) => void later.push(callback),
  };
  turns = new Turns(host, () => taken++);
});

test('several reasons are one turn', () => {
  turns.open();
  turns.schedule();
  turns.schedule(true);
  runAll();
  expect(taken).toBe(1);
});

test('clients in crowds wait for the end of what has arrived, news do not', () => {
  turns.open();
  turns.crowded = true;
  turns.schedule(true);
  expect([soon.length, later.length]).toEqual([0, 1]);
  turns.schedule();
  expect([soon.length, later.length]).toEqual([1, 1]);
  runAll();
  expect(taken).toBe(1);
});

test('what is asked for while there are none is done as soon as there are', () => {
  turns.schedule();
  runAll();
  expect(taken).toBe(0);
  turns.open();
  runAll();
  expect(taken).toBe(1);
});

test('a turn that was due when they were closed is taken once, when they are opened', () => {
  turns.open();
  turns.schedule();
  turns.close();
  runAll();
  expect(taken).toBe(0);
  turns.open();
  turns.open();
  runAll();
  expect(taken).toBe(1);
});
