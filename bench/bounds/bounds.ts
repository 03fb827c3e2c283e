import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memberUrl } from '../../src/local/bindings.ts';
import { startWorkerd, type WorkerdProcess } from '../../src/local/workerd.ts';
import { type Bench, latenciesOf, measureRun, type Run } from '../measure.ts';
import { cpuUsPerRequest, median } from '../summary.ts';
import { findFirstPort, type System } from '../system.ts';

/**
 * What the runtime itself takes: a Worker that answers at once, one that asks an object first, one
 * whose object writes a row and waits until that is durable, one whose object asks that of another
 * process, and one that answers when two of three processes have a row. Three processes each, as
 * members are; the last two do what a read and a put need of the runtime, and nothing else.
 */
export const boundNames = ['worker', 'object', 'durable', 'asked', 'replicated'] as const;
export type BoundName = (typeof boundNames)[number];

export interface BoundSummary {
  readonly bound: BoundName;
  readonly connections: number;
  /** Median of the rounds. */
  readonly perSecond: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly cpuUsPerRequest: number | null;
}

const size = 3;
const script = readFileSync(new URL('worker.mjs', import.meta.url), 'utf8');

/** Puts, which nobody takes for any: the body and the answer are of their length. */
export async function measureBounds(bench: Bench): Promise<BoundSummary[]> {
  const summaries: BoundSummary[] = [];
  for (const bound of boundNames) {
    const system = await startBound(bound);
    try {
      // Compilers are warm after it.
      await load(bench, system, 16, 0);
      for (const connections of bench.options.connections) {
        const runs: Run[] = [];
        for (let round = 0; round < bench.options.rounds; round++) {
          runs.push(await load(bench, system, connections, round));
        }
        const summary = summarize(bound, connections, runs);
        bench.progress(`${bound} x${connections}: ${Math.round(summary.perSecond)}/s`);
        summaries.push(summary);
      }
    } finally {
      await system.stop();
    }
  }
  return summaries;
}

/**
 * It has no counters of rows: it is loaded as a get is, with the bodies of puts, and in each round
 * at the endpoint at which members are asked.
 */
function load(bench: Bench, system: System, connections: number, round: number): Promise<Run> {
  const { generator } = bench;
  const asPuts: Bench['generator'] = {
    ...generator,
    run: (spec, signal) => generator.run({ ...spec, kind: 'put' }, signal),
  };
  return measureRun({ ...bench, generator: asPuts }, system, 'get', connections, round);
}

function summarize(bound: BoundName, connections: number, runs: readonly Run[]): BoundSummary {
  const latencies = latenciesOf(runs);
  return {
    bound,
    connections,
    perSecond: median(runs.map(({ result }) => result.perSecond)),
    p50Ms: latencies.percentileMs(50),
    p99Ms: latencies.percentileMs(99),
    cpuUsPerRequest: cpuUsPerRequest(runs),
  };
}

async function startBound(bound: BoundName): Promise<System> {
  const dataDir = mkdtempSync(join(tmpdir(), 'edgetcd-bench-bound-'));
  const running: WorkerdProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(running.map((each) => each.stop()));
    rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    const first = await findFirstPort((port) => Array.from({ length: size }, (_, i) => port + i));
    const ports = Array.from({ length: size }, (_, i) => first + i);
    for (const port of ports) {
      const persistPath = join(dataDir, String(port));
      const others = port === first ? ports.slice(1) : [first];
      const bindings = { BOUND: bound, PEERS: JSON.stringify(others.map((at) => memberUrl(at))) };
      running.push(await startWorkerd({ script, bindings, persistPath, port, onLine: () => {} }));
    }
    const members = ports.map((port, i) => {
      return { name: `w${i + 1}`, url: memberUrl(port), pid: running[i]?.pid ?? null };
    });
    return { name: 'ours', members, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
