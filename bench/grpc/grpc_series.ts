import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Latencies } from '../latencies.ts';
import type { LoadGenerator, LoadSpec } from '../load.ts';
import { type Bench, latenciesOf, measureRun, type Run } from '../measure.ts';
import { median } from '../summary.ts';
import type { GrpcResult } from './grpc_worker.ts';

const worker = fileURLToPath(new URL('grpc_worker.mjs', import.meta.url));

/** Puts by gRPC: ours through the bridge of `npm start`, beside etcd's own. */
export interface GrpcSummary {
  readonly connections: number;
  /** Median of the rounds, for each system; null: there is no etcd. */
  readonly perSecond: number;
  readonly etcdPerSecond: number | null;
  /** Median of the rounds' ratios, ours to etcd's. */
  readonly ratio: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly errors: number;
  /** Microseconds of the bridge for each put; null: it is not ours. */
  readonly bridgeUs: number | null;
  /** The same of the bridge and all members. */
  readonly allUs: number | null;
}

const generator: LoadGenerator = { name: 'gRPC', run: runGrpc };

export async function measureGrpc(bench: Bench): Promise<GrpcSummary[]> {
  const summaries: GrpcSummary[] = [];
  for (const connections of bench.options.connections) {
    const rounds: Round[] = [];
    for (let round = 0; round < bench.options.rounds; round++) {
      rounds.push(await measureRound({ ...bench, generator }, connections));
    }
    const summary = summarize(connections, rounds);
    bench.progress(`gRPC put x${connections}: ${Math.round(summary.perSecond)}/s`);
    summaries.push(summary);
  }
  return summaries;
}

interface Round {
  readonly ours: Run | null;
  readonly etcd: Run | null;
}

async function measureRound(bench: Bench, connections: number): Promise<Round> {
  const runs: Partial<Record<'ours' | 'etcd', Run>> = {};
  for (const system of bench.systems) {
    runs[system.name] = await measureRun(bench, system, 'put', connections, 0);
  }
  return { ours: runs.ours ?? null, etcd: runs.etcd ?? null };
}

function summarize(connections: number, rounds: readonly Round[]): GrpcSummary {
  const ours = rounds.flatMap((round) => round.ours ?? []);
  const etcd = rounds.flatMap((round) => round.etcd ?? []);
  const latencies = latenciesOf(ours);
  const rate = ({ result }: Run): number => result.perSecond;
  const ratios = rounds.flatMap((round) =>
    round.ours === null || round.etcd === null ? [] : [rate(round.ours) / rate(round.etcd)],
  );
  const requests = ours.reduce((sum, { result }) => sum + result.requests, 0);
  const bridge = ours.reduce((sum, { cpuSeconds }) => sum + (cpuSeconds.get('front') ?? 0), 0);
  const all = ours
    .flatMap(({ cpuSeconds }) => [...cpuSeconds.values()])
    .reduce((sum, seconds) => sum + seconds, 0);
  // A cluster that runs elsewhere has its bridge elsewhere.
  const isOurs = all > 0 && requests > 0;
  return {
    connections,
    perSecond: median(ours.map(rate)),
    etcdPerSecond: etcd.length === 0 ? null : median(etcd.map(rate)),
    ratio: ratios.length === 0 ? null : median(ratios),
    p50Ms: latencies.percentileMs(50),
    p99Ms: latencies.percentileMs(99),
    errors: ours.reduce((sum, { result }) => sum + result.errors, 0),
    bridgeUs: isOurs ? (bridge / requests) * 1e6 : null,
    allUs: isOurs ? (all / requests) * 1e6 : null,
  };
}

async function runGrpc(spec: LoadSpec, signal: AbortSignal) {
  const child: ChildProcess = fork(worker, [JSON.stringify(spec)], { signal });
  const [result] = (await once(child, 'message', { signal })) as [GrpcResult];
  if (child.exitCode === null) await once(child, 'exit');
  return {
    perSecond: result.requests / (result.elapsedMs / 1_000),
    requests: result.requests,
    errors: result.errors,
    latencies: new Latencies(Float64Array.from(result.counts)),
  };
}
