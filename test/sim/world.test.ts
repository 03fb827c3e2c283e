import { expect, test } from 'vitest';
import { limits } from '../../src/config.ts';
import { simulate } from './simulation.ts';

const OPTIONS = { size: 3, bugs: new Set<string>(), print: null };

test('a seed tells the same story every time, another seed another one', () => {
  const [first, again, other] = [11, 11, 12].map((seed) => simulate({ ...OPTIONS, seed }));
  expect(again?.traceHash).toBe(first?.traceHash);
  expect(again?.events).toBe(first?.events);
  expect(other?.traceHash).not.toBe(first?.traceHash);
});

test('printing the story does not change it', () => {
  const lines: string[] = [];
  const silent = simulate({ ...OPTIONS, seed: 13 });
  const told = simulate({ ...OPTIONS, seed: 13, print: (line) => lines.push(line) });
  expect(told.traceHash).toBe(silent.traceHash);
  expect(lines).toHaveLength(told.events);
});

test('a run leaves the limits as they were', () => {
  const before = { ...limits };
  simulate({ ...OPTIONS, seed: 14 });
  expect({ ...limits }).toEqual(before);
});
