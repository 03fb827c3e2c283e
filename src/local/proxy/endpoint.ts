import type { Attempt } from './attempt.ts';

/** A member as clients reach it, and what the proxy has seen of it. */
export class Endpoint {
  /** An origin. */
  readonly url: string;
  /** Its place among others that are as good: proxies should not all choose the same. */
  readonly lot: number;
  /** Of a short answer on an open connection; null: not measured yet. */
  latencyMs: number | null = null;
  /** It is reached, and says that it is well. */
  isHealthy = true;
  /** When it was last asked whether it is there. */
  probedMs = 0;
  /** Requests that it has not answered, oldest first. */
  readonly owed = new Set<Attempt>();
  #failedMs: number | null = null;

  constructor(url: string, lot: number) {
    this.url = url;
    this.lot = lot;
  }

  get isAvailable(): boolean {
    return this.#failedMs === null;
  }

  /** null: it has not failed. */
  get failedMs(): number | null {
    return this.#failedMs;
  }

  /**
   * It cannot be reached, and is left out until it can. What it owes and may be asked of another
   * member does not wait for it.
   * @returns whether that is news
   */
  fail(nowMs: number): boolean {
    const isNews = this.#failedMs === null;
    this.#failedMs = nowMs;
    for (const attempt of [...this.owed]) if (attempt.isRepeatable) attempt.end('it has failed');
    return isNews;
  }

  /** @returns whether that is news */
  recover(): boolean {
    const isNews = this.#failedMs !== null;
    this.#failedMs = null;
    return isNews;
  }
}

/** The order in which members are tried: the healthy before others, the near before the far. */
export function inOrder(endpoints: readonly Endpoint[], nearMs: number): Endpoint[] {
  const measured = endpoints.flatMap(({ latencyMs, isHealthy }) =>
    latencyMs === null || !isHealthy ? [] : [latencyMs],
  );
  const best = measured.length === 0 ? 0 : Math.min(...measured);
  const distance = ({ latencyMs }: Endpoint): number => {
    if (latencyMs === null || latencyMs <= 2 * best + nearMs) return 0;
    return Math.ceil(Math.log2(latencyMs / Math.max(best, 1)));
  };
  return [...endpoints].sort(
    (a, b) =>
      Number(b.isHealthy) - Number(a.isHealthy) || distance(a) - distance(b) || a.lot - b.lot,
  );
}
