import { Coverage } from './coverage.ts';
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
export function runSeeds(range: SeedRange): RangeReport {
  const coverage = new Coverage();
  const unstable: number[] = [];
  let [seeds, events, simulatedMs] = [0, 0, 0];
  let failure: RunReport | null = null;
  for (let i = 0; i < range.count && failure === null; i++) {
    const seed = range.first + i * range.step;
    const options = { seed, size: range.size, bugs: range.bugs, print: null };
    const report = simulate(options);
    coverage.merge(report.coverage);
    seeds += 1;
    events += report.events;
    simulatedMs += report.simulatedMs;
    if (report.violation !== null) failure = report;
    else if (i % REPEATED_EVERY === 0 && simulate(options).traceHash !== report.traceHash) {
      unstable.push(seed);
    }
  }
  return { seeds, events, simulatedMs, coverage, failure, unstable };
}
