import { expect, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import type { BugName } from '../../src/raft/bugs.ts';
import type { StateBug } from '../../src/state/bugs.ts';
import { runSeeds } from './run.ts';

/**
 * A bug that the simulator needs more worlds for would slip through a night of real use as well.
 */
const SEEDS_MAX = 300;

/**
 * Bugs that this simulator must find. Not among them: epoch-ignored and persisted-aba, which need a
 * platform that breaks its word (storage that serves a superseded instance, syncs that overtake
 * each other) and are held by scripts in test/scenarios instead.
 */
const BUGS: readonly (BugName | StateBug)[] = [
  'commit-earlier-term-by-counting',
  'leader-counts-unpersisted',
  'ack-before-persist',
  'vote-before-persist',
  'vote-twice-in-term',
  'vote-ignores-log',
  'read-without-round',
  'read-before-own-term-commit',
  'read-confirmed-by-old-round',
  'append-skips-conflict-check',
  'truncate-committed',
  'step-down-missing',
  'commit-beyond-match',
  'applied-index-apart',
  'dedup-missing',
  'compaction-drops-tombstone',
  'compaction-drops-latest',
  'apply-partial-txn',
  'txn-range-sees-compaction-progress',
];

test.each(BUGS)('the historic bug %s is found', (bug) => {
  const range = { first: 1, count: SEEDS_MAX, step: 1, size: null, bugs: new Set([bug]) };
  const { seeds, failure } = runSeeds(range);
  expect(failure, `${bug} is still hidden after ${seeds} seeds`).not.toBeNull();
  const { invariant } = must(must(failure, 'not found').violation, 'a failure has a violation');
  console.log(`${bug}: ${invariant} after ${seeds} seed${seeds === 1 ? '' : 's'}`);
});
