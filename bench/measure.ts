import { cpuGrowth, readCpuSeconds } from './cpu.ts';
import { Latencies } from './latencies.ts';
import type { LoadGenerator, LoadResult, LoadSpec } from './load.ts';
import type { Kind, Options } from './options.ts';
import { growth, type RowCounters, readCounters } from './rows.ts';
import type { System } from './system.ts';

/** One run against one system. */
export interface Run {
  readonly system: System['name'];
  readonly result: LoadResult;
  /** By member; empty for runs that are not puts. */
  readonly rows: ReadonlyMap<string, RowCounters | null>;
  readonly cpuSeconds: ReadonlyMap<string, number>;
}

/** All runs of one kind with one number of connections, of all systems in turn. */
export interface Series {
  readonly kind: Kind;
  readonly connections: number;
  readonly rounds: readonly (readonly Run[])[];
}

export interface Bench {
  readonly systems: readonly System[];
  readonly generator: LoadGenerator;
  readonly options: Options;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
}

/** Runs everything that was asked for. @throws when the signal aborts */
export async function measureAll(bench: Bench): Promise<Series[]> {
  const { kinds, connections } = bench.options;
  const all: Series[] = [];
  for (const kind of kinds) {
    for (const count of connections) all.push(await measureSeries(bench, kind, count));
  }
  return all;
}

async function measureSeries(bench: Bench, kind: Kind, connections: number): Promise<Series> {
  const { systems, options, progress } = bench;
  const rounds: Run[][] = [];
  for (let round = 0; round < options.rounds; round++) {
    const runs: Run[] = [];
    // In turn, so that what else the machine does meanwhile falls on all of them.
    for (const system of systems)
      runs.push(await measureRun(bench, system, kind, connections, round));
    rounds.push(runs);
    const rates = runs.map((run) => `${run.system} ${Math.round(run.result.perSecond)}/s`);
    progress(`${kind} x${connections} round ${round + 1}/${options.rounds}: ${rates.join(', ')}`);
  }
  return { kind, connections, rounds };
}

/** One run of one system. */
export async function measureRun(
  { options, generator, signal }: Bench,
  system: System,
  kind: Kind,
  connections: number,
  round: number,
): Promise<Run> {
  const { seconds, keys, valueBytes } = options;
  // With fewer connections than endpoints each round begins at another one, the leader's first.
  const endpoints = rotated(system, round);
  const spec: LoadSpec = { endpoints, kind, connections, seconds, keys, valueBytes };
  const isPut = kind === 'put';
  const rowsBefore = isPut ? await readCounters(system) : new Map<string, RowCounters>();
  const cpuBefore = readCpuSeconds(system);
  const result = await generator.run(spec, signal);
  const cpuSeconds = cpuGrowth(cpuBefore, readCpuSeconds(system));
  const rows = isPut ? growth(rowsBefore, await readCounters(system)) : new Map();
  return { system: system.name, result, rows, cpuSeconds };
}

function rotated({ members }: System, round: number): string[] {
  const first = round % members.length;
  return [...members.slice(first), ...members.slice(0, first)].map(({ url }) => url);
}

/** The runs of one system. */
export function runsOf(series: Series, system: System['name']): Run[] {
  return series.rounds.flat().filter((run) => run.system === system);
}

/** All its latencies together. */
export function latenciesOf(runs: readonly Run[]): Latencies {
  const all = new Latencies();
  for (const { result } of runs) all.add(result.latencies);
  return all;
}
