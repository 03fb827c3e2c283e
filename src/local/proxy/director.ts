import { proxyLimits } from '../../config/proxy.ts';
import type { Output } from '../output.ts';
import { Endpoint, inOrder } from './endpoint.ts';
import { probe, type Sighting } from './probe.ts';

export interface DirectorOptions {
  /** The members' client URLs, as they are now. */
  readonly find: () => Promise<readonly string[]>;
  readonly refreshIntervalMs: number;
  readonly failureWaitMs: number;
  /** 0: as long as it takes. */
  readonly writeTimeoutMs: number;
  readonly output: Pick<Output, 'line' | 'warning'>;
  readonly probe?: (url: string) => Promise<Sighting | null>;
  readonly nowMs?: () => number;
}

/**
 * Knows the members, and in which order to try them. A member that fails is left out until the
 * failure wait is over and it answers again.
 */
export class Director {
  readonly #options: DirectorOptions;
  readonly #probe: (url: string) => Promise<Sighting | null>;
  readonly #now: () => number;
  #endpoints: readonly Endpoint[] = [];
  #refreshedMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DirectorOptions) {
    this.#options = options;
    this.#probe = options.probe ?? probe;
    this.#now = options.nowMs ?? (() => performance.now());
  }

  /** Those to try, in order. */
  get available(): readonly Endpoint[] {
    return this.#endpoints.filter(({ isAvailable }) => isAvailable);
  }

  /** Begins to look for members; resolves after the first look, whatever it saw. */
  async start(): Promise<void> {
    await this.refresh();
    this.#timer = setInterval(() => this.tick(), proxyLimits.tickMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** It could not be reached, or was lost with a request. */
  failed(endpoint: Endpoint, reason: string): void {
    const { output } = this.#options;
    if (endpoint.fail(this.#now())) {
      output.warning(`marked endpoint ${endpoint.url} unavailable: ${reason}`);
    }
  }

  /** Finds the members, and looks at all of them. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  /** What is to be looked at by now. Nobody waits for it. */
  tick(): void {
    const nowMs = this.#now();
    const isLost = this.available.length === 0;
    const { refreshIntervalMs, failureWaitMs, writeTimeoutMs } = this.#options;
    const { searchIntervalMs } = proxyLimits;
    const intervalMs = isLost ? Math.min(searchIntervalMs, refreshIntervalMs) : refreshIntervalMs;
    if (nowMs - this.#refreshedMs >= intervalMs) void this.refresh();
    for (const endpoint of this.#endpoints) {
      const [oldest] = endpoint.owed;
      for (const attempt of endpoint.owed) {
        if (attempt.isStuck(nowMs, writeTimeoutMs)) attempt.end('i/o timeout');
      }
      const waitsMs = endpoint.failedMs ?? oldest?.startedMs ?? nowMs;
      const isDue = nowMs - Math.max(waitsMs, endpoint.probedMs) >= failureWaitMs;
      if (isDue && (endpoint.failedMs !== null || oldest !== undefined)) void this.#look(endpoint);
    }
  }

  async #refresh(): Promise<void> {
    this.#refreshedMs = this.#now();
    const urls = await this.#options.find();
    this.#follow(urls);
    await Promise.all(this.#endpoints.map((endpoint) => this.#look(endpoint)));
  }

  /** What is known of members that stay is kept. */
  #follow(urls: readonly string[]): void {
    const known = new Map(this.#endpoints.map((endpoint) => [endpoint.url, endpoint]));
    const isSame = urls.length === known.size && urls.every((url) => known.has(url));
    if (isSame) return;
    this.#options.output.line(`endpoints found: ${urls.join(', ') || 'none'}`);
    this.#endpoints = urls.map((url) => known.get(url) ?? new Endpoint(url, Math.random()));
  }

  async #look(endpoint: Endpoint): Promise<void> {
    endpoint.probedMs = this.#now();
    const seen = await this.#probe(endpoint.url);
    if (seen === null) return this.failed(endpoint, 'it does not answer');
    endpoint.latencyMs = seen.latencyMs;
    endpoint.isHealthy = seen.isHealthy;
    if (endpoint.recover()) {
      this.#options.output.line(`endpoint ${endpoint.url} is available again`);
    }
    this.#endpoints = inOrder(this.#endpoints, proxyLimits.nearMs);
  }
}
