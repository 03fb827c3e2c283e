import { expect, test } from 'vitest';
import { limits } from '../../src/config.ts';
import { simulate } from './simulation.ts';

const OPTIONS = { size: 3, profile: null, bugs: new Set<string>(), print: null };

test('a seed tells the same story every time, another seed another one', async () => {
  const first = await simulate({ ...OPTIONS, seed: 11 });
  const again = await simulate({ ...OPTIONS, seed: 11 });
  const other = await simulate({ ...OPTIONS, seed: 12 });
  expect(again.traceHash).toBe(first.traceHash);
  expect(again.events).toBe(first.events);
  expect(other.traceHash).not.toBe(first.traceHash);
});

test('printing the story does not change it', async () => {
  const lines: string[] = [];
  const silent = await simulate({ ...OPTIONS, seed: 13 });
  const told = await simulate({ ...OPTIONS, seed: 13, print: (line) => lines.push(line) });
  expect(told.traceHash).toBe(silent.traceHash);
  expect(lines).toHaveLength(told.events);
});

test('a run leaves the limits as they were', async () => {
  const before = { ...limits };
  await simulate({ ...OPTIONS, seed: 14 });
  expect({ ...limits }).toEqual(before);
});
