import type { Latencies } from './latencies.ts';
import type { Kind } from './options.ts';

/** One run: closed loops, each with a connection of its own that is kept. */
export interface LoadSpec {
  readonly endpoints: readonly string[];
  readonly kind: Kind;
  /** Over all endpoints together. The first endpoints take what does not divide evenly. */
  readonly connections: number;
  readonly seconds: number;
  readonly keys: number;
  readonly valueBytes: number;
  /** Distinct requests of each endpoint; a few thousand when not said. */
  readonly prepared?: number;
}

export interface LoadResult {
  /** Requests that succeeded, per second. */
  readonly perSecond: number;
  readonly requests: number;
  /** Answers other than 2xx, lost connections and timeouts. */
  readonly errors: number;
  readonly latencies: Latencies;
}

export interface LoadGenerator {
  readonly name: string;
  /** @throws when the signal aborts, or when nothing at all could be measured */
  run(spec: LoadSpec, signal: AbortSignal): Promise<LoadResult>;
}

/** One endpoint's part of a run. */
export interface Share {
  readonly url: string;
  readonly connections: number;
}

/** Spreads the connections over the endpoints; an endpoint without any is left out. */
export function sharesOf({ endpoints, connections }: LoadSpec): Share[] {
  const least = Math.floor(connections / endpoints.length);
  const rest = connections % endpoints.length;
  return endpoints
    .map((url, i) => ({ url, connections: least + (i < rest ? 1 : 0) }))
    .filter((share) => share.connections > 0);
}
