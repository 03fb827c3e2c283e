import { expect, test } from 'vitest';
import { reportOf } from './report.ts';
import { runSeeds } from './run.ts';

const SEEDS = 2_000;
const SHARDS = 2;
const TIMEOUT_MS = 300_000;

/** One part of the seeds as a test file of its own, so that every core works on the suite. */
export function testShard(shard: number): void {
  const count = SEEDS / SHARDS;
  test(`every invariant holds in ${count} random worlds (${shard + 1} of ${SHARDS})`, {
    timeout: TIMEOUT_MS,
  }, async () => {
    const first = 1 + shard;
    const anything = { size: null, profile: null, bugs: new Set<string>() };
    const report = await runSeeds({ first, count, step: SHARDS, ...anything });
    const { seeds, events, simulatedMs, coverage, failure, unstable } = report;
    expect(failure === null ? null : reportOf(failure, null)).toBeNull();
    expect(unstable, 'seeds whose second run differs').toEqual([]);
    expect(coverage.missing(), 'faults and events that never happened').toEqual([]);
    console.log(
      `${seeds} seeds, ${events} events, ${(simulatedMs / 60_000).toFixed(0)} simulated minutes\n${coverage.table()}`,
    );
  });
}
