import { expect, test } from 'vitest';
import { utf8 } from '../lib/bytes.ts';
import { Doorkeeper } from './doorkeeper.ts';

const keys = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, i) => utf8(`${prefix}${i}`));

test('knows what was asked for before, and nothing else', () => {
  const doorkeeper = new Doorkeeper(1_000);
  const few = keys(10, 'a');
  expect(few.map((key) => doorkeeper.knows(key))).not.toContain(true);
  expect(few.map((key) => doorkeeper.knows(key))).not.toContain(false);
});

test('forgets most of what was asked for long ago', () => {
  const doorkeeper = new Doorkeeper(100);
  const early = keys(50, 'early');
  for (const key of early) doorkeeper.knows(key);
  for (const key of keys(1_000, 'later')) doorkeeper.knows(key);
  expect(early.filter((key) => doorkeeper.knows(key)).length).toBeLessThan(5);
});
