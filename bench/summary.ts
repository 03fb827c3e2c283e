import type { Latencies } from './latencies.ts';
import { latenciesOf, type Run, runsOf, type Series } from './measure.ts';
import type { Kind } from './options.ts';
import { type RowsPerPut, rowsPerPut } from './rows.ts';
import type { System } from './system.ts';

export interface SystemSummary {
  /** Median over the rounds. */
  readonly perSecond: number;
  readonly p50Ms: number | null;
  readonly p90Ms: number | null;
  readonly p99Ms: number | null;
  readonly p999Ms: number | null;
  readonly errors: number;
  /** Seconds of CPU for each second of load, by member; empty where it is not known. */
  readonly cpuShare: Readonly<Record<string, number>>;
  /** Microseconds of CPU of all members together for each request. */
  readonly cpuUsPerRequest: number | null;
}

export interface SeriesSummary {
  readonly kind: Kind;
  readonly connections: number;
  readonly ours: SystemSummary;
  readonly etcd: SystemSummary | null;
  /** Median of the rounds' ratios, ours to etcd's. */
  readonly ratio: number | null;
  /** Ours; empty for gets. */
  readonly rowsPerPut: readonly RowsPerPut[];
}

export function summarize(series: Series, seconds: number): SeriesSummary {
  const ours = runsOf(series, 'ours');
  const etcd = runsOf(series, 'etcd');
  return {
    kind: series.kind,
    connections: series.connections,
    ours: summarizeSystem(ours, seconds),
    etcd: etcd.length === 0 ? null : summarizeSystem(etcd, seconds),
    ratio: etcd.length === 0 ? null : median(series.rounds.map(ratioOf)),
    rowsPerPut: rowsPerPut(ours.map(({ rows }) => rows)),
  };
}

function ratioOf(round: readonly Run[]): number {
  const rate = (name: System['name']): number =>
    round.find(({ system }) => system === name)?.result.perSecond ?? 0;
  return rate('ours') / rate('etcd');
}

/** Microseconds of CPU of all members together for each request; null where it is not known. */
export function cpuUsPerRequest(runs: readonly Run[]): number | null {
  const total = Object.values(cpuOf(runs)).reduce((sum, value) => sum + value, 0);
  const requests = runs.reduce((sum, { result }) => sum + result.requests, 0);
  return total === 0 || requests === 0 ? null : (total * 1e6) / requests;
}

function summarizeSystem(runs: readonly Run[], seconds: number): SystemSummary {
  const latencies = latenciesOf(runs);
  const cpu = cpuOf(runs);
  const share = Object.entries(cpu).map(([name, used]) => [name, used / (seconds * runs.length)]);
  return {
    perSecond: median(runs.map(({ result }) => result.perSecond)),
    ...percentiles(latencies),
    errors: runs.reduce((sum, { result }) => sum + result.errors, 0),
    cpuShare: Object.fromEntries(share),
    cpuUsPerRequest: cpuUsPerRequest(runs),
  };
}

function percentiles(latencies: Latencies) {
  return {
    p50Ms: latencies.percentileMs(50),
    p90Ms: latencies.percentileMs(90),
    p99Ms: latencies.percentileMs(99),
    p999Ms: latencies.percentileMs(99.9),
  };
}

/** Seconds of CPU by member, over all runs. */
function cpuOf(runs: readonly Run[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const { cpuSeconds } of runs) {
    for (const [name, used] of cpuSeconds) total[name] = (total[name] ?? 0) + used;
  }
  return total;
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
