import { startCluster } from '../cluster.ts';
import type { LoadGenerator } from '../load.ts';
import type { ScaleOptions, ScalePart } from '../options.ts';
import type { System } from '../system.ts';
import type { Finding } from './finding.ts';
import { measureKeys } from './keys.ts';
import { measureLeases } from './leases.ts';
import { measureDelivery, measureIdleWatchers } from './watchers.ts';

/** What a measurement at scale works with. */
export interface Scale extends ScaleOptions {
  readonly system: System;
  /** The process of a member now: it changes with a restart. */
  readonly processOf: (name: string) => number | null;
  readonly generator: LoadGenerator;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
}

const measurements: Readonly<Record<ScalePart, (scale: Scale) => Promise<Finding[]>>> = {
  watchers: measureIdleWatchers,
  delivery: async (scale) => [
    ...(await measureDelivery(scale, 0)),
    ...(await measureDelivery(scale, 1)),
  ],
  leases: measureLeases,
  keys: measureKeys,
};

/** Runs the parts that were asked for, each on a cluster of its own: none pays for another. */
export async function measureScale(
  options: ScaleOptions,
  generator: LoadGenerator,
  signal: AbortSignal,
  progress: (text: string) => void,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const part of options.parts) {
    progress(`${part}: starting a cluster of three`);
    const system = await startCluster(signal, true);
    try {
      const { processOf } = system;
      findings.push(
        ...(await measurements[part]({
          ...options,
          system,
          processOf,
          generator,
          signal,
          progress,
        })),
      );
    } finally {
      await system.stop();
    }
  }
  return findings;
}
