import { type Bench, latenciesOf, measureRun, type Run } from '../measure.ts';
import type { Kind } from '../options.ts';
import { cpuUsPerRequest, median, type SeriesSummary } from '../summary.ts';
import { runSessions } from './session_load.ts';

/** What sessions have reached, beside what etcd's gateway has at its best. */
export interface SessionSummary {
  readonly kind: Kind;
  /** Under way at once, over a few sockets. */
  readonly operations: number;
  /** Median of the rounds. */
  readonly perSecond: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly errors: number;
  /** Microseconds of all members together for each operation. */
  readonly cpuUsPerOperation: number | null;
  /** To the best rate of that kind through etcd's gateway, whatever the connections. */
  readonly ratio: number | null;
}

/** Runs our system's sessions with as many operations as there were connections. */
export async function measureSessions(
  bench: Bench,
  gateway: readonly SeriesSummary[],
): Promise<SessionSummary[]> {
  const { systems, options, progress } = bench;
  const ours = systems.find(({ name }) => name === 'ours');
  if (ours === undefined) return [];
  const generator = { name: 'sessions', run: runSessions };
  const summaries: SessionSummary[] = [];
  for (const kind of options.kinds) {
    for (const operations of options.connections) {
      const runs: Run[] = [];
      for (let round = 0; round < options.rounds; round++) {
        // Every round at the leader, which is the first of round 0.
        runs.push(await measureRun({ ...bench, generator }, ours, kind, operations, 0));
      }
      const summary = summarize(kind, operations, runs, bestOfEtcd(gateway, kind));
      progress(`session ${kind} x${operations}: ${Math.round(summary.perSecond)}/s`);
      summaries.push(summary);
    }
  }
  return summaries;
}

function bestOfEtcd(gateway: readonly SeriesSummary[], kind: Kind): number | null {
  const rates = gateway.flatMap((series) =>
    series.kind === kind && series.etcd !== null ? [series.etcd.perSecond] : [],
  );
  return rates.length === 0 ? null : Math.max(...rates);
}

function summarize(
  kind: Kind,
  operations: number,
  runs: readonly Run[],
  best: number | null,
): SessionSummary {
  const latencies = latenciesOf(runs);
  const perSecond = median(runs.map(({ result }) => result.perSecond));
  return {
    kind,
    operations,
    perSecond,
    p50Ms: latencies.percentileMs(50),
    p99Ms: latencies.percentileMs(99),
    errors: runs.reduce((sum, { result }) => sum + result.errors, 0),
    cpuUsPerOperation: cpuUsPerRequest(runs),
    ratio: best === null ? null : perSecond / best,
  };
}
