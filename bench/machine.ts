import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import type { LoadGenerator } from './load.ts';

/** Where the figures come from. */
export interface MachineFacts {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGiB: number;
  readonly loadBefore: number;
  readonly node: string;
  readonly workerd: string;
  readonly etcd: string;
  readonly generator: string;
}

export function machineFacts(etcd: string | null, { name }: LoadGenerator): MachineFacts {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    // A machine that is busy with something else measures that.
    loadBefore: Number((loadavg()[0] ?? 0).toFixed(2)),
    node: process.versions.node,
    workerd: workerdVersion(),
    etcd: etcd ?? 'none',
    generator: name,
  };
}

function workerdVersion(): string {
  const path = createRequire(import.meta.url).resolve('workerd/package.json');
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
  return version;
}
