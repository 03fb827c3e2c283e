import { proxyLimits } from '../../config/proxy.ts';

/** A member that was reached. */
export interface Sighting {
  readonly latencyMs: number;
  readonly isHealthy: boolean;
}

/** Whether a member is there, how far away, and whether it is well; null: it cannot be reached. */
export async function probe(url: string): Promise<Sighting | null> {
  try {
    // The first one may have to open a connection.
    await ask(`${url}/version`);
    const startMs = performance.now();
    await ask(`${url}/version`);
    const latencyMs = performance.now() - startMs;
    const isHealthy = await ask(`${url}/health`).then(
      (status) => status === 200,
      () => false,
    );
    return { latencyMs, isHealthy };
  } catch {
    return null;
  }
}

async function ask(url: string): Promise<number> {
  const signal = AbortSignal.timeout(proxyLimits.probeTimeoutMs);
  const response = await fetch(url, { redirect: 'manual', signal });
  await response.arrayBuffer();
  return response.status;
}
