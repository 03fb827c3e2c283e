import { Coverage } from './coverage.ts';
import type { Profile } from './plan.ts';
import { type RunReport, simulate } from './simulation.ts';

/** One seed in so many is run twice, and must tell the same story. */
const REPEATED_EVERY = 50;

export interface SeedRange {
  readonly first: number;
  readonly count: number;
  /** Only every so-many-th seed: shards share a range without meeting. */
  readonly step: number;
  readonly size: number | null;
  readonly bugs: ReadonlySet<string>;
  readonly profile: Profile | null;
}

export interface RangeReport {
  readonly seeds: number;
  readonly events: number;
  readonly simulatedMs: number;
  readonly coverage: Coverage;
  /** The first run that found something; null when none did. */
  readonly failure: RunReport | null;
  /** Seeds that told another story when they were run again. */
  readonly unstable: readonly number[];
}

/** Runs seeds until one fails. */
export async function runSeeds(range: SeedRange): Promise<RangeReport> {
  const coverage = new Coverage();
  const unstable: number[] = [];
  let [seeds, events, simulatedMs] = [0, 0, 0];
  let failure: RunReport | null = null;
  for (let i = 0; i < range.count && failure === null; i++) {
    const seed = range.first + i * range.step;
    const { size, bugs, profile } = range;
    const options = { seed, size, bugs, profile, print: null };
    const report = await simulate(options);
    coverage.merge(report.coverage);
    seeds += 1;
    events += report.events;
    simulatedMs += report.simulatedMs;
    if (report.violation !== null) failure = report;
    else if (i % REPEATED_EVERY === 0) {
      const again = await simulate(options);
      if (again.traceHash !== report.traceHash) unstable.push(seed);
    }
  }
  return { seeds, events, simulatedMs, coverage, failure, unstable };
}
