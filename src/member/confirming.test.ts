import { expect, test } from 'vitest';
import { limits } from '../config.ts';
import type { PersistBatch } from '../raft/output.ts';
import { Confirming } from './confirming.ts';

const ENTRIES: PersistBatch = {
  sequence: 1,
  hardState: null,
  entries: [],
  snapshot: null,
  commit: 0,
};

test('a follower asks for word of its entries now and then, everybody else each time', () => {
  const confirming = new Confirming();
  const asked = Array.from({ length: 2 * limits.unconfirmedBatchesMax }, () =>
    confirming.confirms(ENTRIES, 'follower'),
  );
  expect(asked.filter(Boolean)).toHaveLength(2);
  expect(asked.at(-1)).toBe(true);
  expect(confirming.confirms(ENTRIES, 'leader')).toBe(true);
  expect(confirming.confirms(ENTRIES, 'candidate')).toBe(true);
});

test('a vote is never left unconfirmed, and nothing is asked where nothing was written', () => {
  const confirming = new Confirming();
  expect(confirming.confirms(null, 'leader')).toBe(false);
  const vote = { ...ENTRIES, hardState: { term: 1, vote: '1' } };
  expect(confirming.confirms(vote, 'follower')).toBe(true);
});
