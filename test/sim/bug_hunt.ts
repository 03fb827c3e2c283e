import { expect, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import type { Profile } from './plan.ts';
import { runSeeds } from './run.ts';

/** A bug that needs more worlds than this would slip through a night of real use as well. */
const SEEDS_MAX = 500;
/** Not far from worlds that show the rarest: the inner loop is to stay short. */
const FIRST_SEED = 880;
const TIMEOUT_MS = 300_000;

/**
 * Each bug, switched on, must be found in runs of the profile.
 * @param size members; null: as the seed chooses
 */
export function hunt(profile: Profile, bugs: readonly string[], size: number | null = null): void {
  test.each(bugs)(`the historic bug %s is found`, { timeout: TIMEOUT_MS }, async (bug) => {
    const range = { first: FIRST_SEED, count: SEEDS_MAX, step: 1, size, profile };
    const { seeds, failure } = await runSeeds({ ...range, bugs: new Set([bug]) });
    expect(failure, `${bug} is still hidden after ${seeds} seeds`).not.toBeNull();
    const { invariant } = must(must(failure, 'not found').violation, 'a failure has a violation');
    console.log(`${bug}: ${invariant} after ${seeds} seed${seeds === 1 ? '' : 's'}`);
  });
}
