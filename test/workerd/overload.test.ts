import { beforeAll, expect, it } from 'vitest';
import { limits } from '../../src/config.ts';
import { put, untilWritable } from './client.ts';

const MEMBERS = ['m1', 'm2', 'm3'] as const;

/** Limits are read when a member starts: those of this file have room for a few writes at once. */
beforeAll(async () => {
  Object.assign(limits, { uncommittedBytesMax: 10_000 });
  for (const member of MEMBERS) await untilWritable(member);
});

it.each(MEMBERS)('more writes at %s than the leader has room for are all done', async (member) => {
  const value = 'x'.repeat(1_000);
  const puts = Array.from({ length: 24 }, (_, i) => put(`${member}-${i}`, value, member));
  const statuses = (await Promise.all(puts)).map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set([200]));
});
