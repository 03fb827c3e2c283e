import { startCluster } from './cluster.ts';
import { fill } from './fill.ts';
import type { LoadGenerator } from './load.ts';
import type { Options } from './options.ts';
import { readMemory } from './scale/memory.ts';
import { type Row, renderRows } from './table.ts';

/** So many connections are full load. */
const connections = 64;

/** Nothing is compacted: ten minutes of puts are more than etcd allows by default, 2 GiB. */
const env = { ETCD_QUOTA_BACKEND_BYTES: String(9 * 1024 ** 3) };

/**
 * Puts at full load for minutes: what a minute's rate and latencies are, and the memory of each
 * process after it. @returns a table
 */
export async function measureSustained(
  options: Options,
  minutes: number,
  generator: LoadGenerator,
  signal: AbortSignal,
  progress: (text: string) => void,
): Promise<string> {
  const system = await startCluster(signal, false, env);
  try {
    const endpoints = system.members.map(({ url }) => url);
    await fill(endpoints[0] ?? '', options, signal);
    const rows: Row[] = [];
    let names: string[] = [];
    for (let minute = 1; minute <= minutes; minute++) {
      const spec = { ...options, endpoints, connections, seconds: 60, kind: 'put' } as const;
      const { perSecond, errors, latencies } = await generator.run(spec, signal);
      const memory = await readMemory(system, signal);
      names = Object.keys(memory);
      const numbers = [perSecond, latencies.percentileMs(50), latencies.percentileMs(99), errors];
      const mebibytes = Object.values(memory);
      const cells = [...numbers, ...mebibytes].map((value) => (value ?? 0).toFixed(0));
      rows.push([String(minute), ...cells]);
      progress(`minute ${minute}: ${perSecond.toFixed(0)} puts/s`);
    }
    const head = ['minute', 'puts/s', 'p50 ms', 'p99 ms', 'errors', ...names.map(inMiB)];
    return renderRows([head, ...rows]);
  } finally {
    await system.stop();
  }
}

function inMiB(name: string): string {
  return `${name} MiB`;
}
