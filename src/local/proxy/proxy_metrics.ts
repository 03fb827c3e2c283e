import { doubling } from '../../metrics/buckets.ts';
import { Registry } from '../../metrics/registry.ts';

/** Any word may be a method; only those that etcd knows get a series of their own. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']);

/** Why a request got no answer of a member, as etcd's proxy counts it. */
export type DropReason = 'zero_endpoints' | 'failed_sending_request' | 'failed_getting_response';

/** The proxy's own metrics, under the names of etcd's. */
export class ProxyMetrics {
  readonly #registry = new Registry();
  readonly #requests = this.#registry.counters(
    'etcd_proxy_requests_total',
    'Counter requests incoming by method.',
    ['method'],
  );
  readonly #handled = this.#registry.counters(
    'etcd_proxy_handled_total',
    'Counter of requests fully handled (by authoritative servers).',
    ['code', 'method'],
  );
  readonly #dropped = this.#registry.counters(
    'etcd_proxy_dropped_total',
    'Counter of requests dropped on the proxy.',
    ['method', 'proxying_error'],
  );
  readonly #duration = this.#registry.histograms(
    'etcd_proxy_handling_duration_seconds',
    'Bucketed histogram of the time until the head of an answer, by method.',
    ['method'],
    doubling(0.0005, 13),
  );

  came(method: string): void {
    this.#requests.with(known(method)).inc();
  }

  handled(method: string, status: number, startMs: number): void {
    this.#handled.with(String(status), known(method)).inc();
    this.#duration.with(known(method)).observe((performance.now() - startMs) / 1_000);
  }

  dropped(method: string, reason: DropReason): void {
    this.#dropped.with(known(method), reason).inc();
  }

  render(): string {
    return this.#registry.render();
  }
}

function known(method: string): string {
  return METHODS.has(method) ? method : 'other';
}
