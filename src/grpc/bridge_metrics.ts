import type { Code } from '../api/error.ts';
import type { Method } from '../api/methods.ts';
import { codeName } from '../metrics/calls.ts';
import type { Counter, Gauge } from '../metrics/metric.ts';
import { type Family, Registry } from '../metrics/registry.ts';

const LABELS = ['grpc_service', 'grpc_method', 'grpc_code'] as const;

/** How many of something there are at the moment. */
interface Counts {
  sharedWatches(): number;
  connections(): number;
}

/** What a bridge tells about itself. */
export class BridgeMetrics {
  readonly streams: Gauge;
  readonly #registry = new Registry();
  readonly #counts: Counts;
  readonly #handled: Family<Counter, typeof LABELS>;
  /** The same, found without making names for every call. */
  readonly #byMethod = new Map<Method, Map<Code, Counter>>();
  readonly #connections: Gauge;
  readonly #watches: Gauge;
  readonly #memory: Gauge;
  readonly #cpu: Gauge;

  constructor(counts: Counts) {
    const registry = this.#registry;
    this.#counts = counts;
    this.#handled = registry.counters('edgetcd_bridge_handled_total', 'Calls ended.', LABELS);
    this.streams = registry.gauge('edgetcd_bridge_streams', 'Streams that are open.');
    this.#connections = registry.gauge('edgetcd_bridge_connections', 'Connections of clients.');
    this.#watches = registry.gauge('edgetcd_bridge_shared_watches', 'Watches that are shared.');
    this.#memory = registry.gauge('process_resident_memory_bytes', 'Memory of the process.');
    this.#cpu = registry.gauge('process_cpu_seconds_total', 'Processor time of the process.');
  }

  handled(method: Method, code: Code): void {
    const counters = this.#byMethod.get(method) ?? new Map<Code, Counter>();
    this.#byMethod.set(method, counters);
    const { service, name } = method;
    const counter = counters.get(code) ?? this.#handled.with(service, name, codeName(code));
    counters.set(code, counter);
    counter.inc();
  }

  render(): string {
    const { user, system } = process.cpuUsage();
    this.#cpu.set((user + system) / 1e6);
    this.#memory.set(process.memoryUsage.rss());
    this.#watches.set(this.#counts.sharedWatches());
    this.#connections.set(this.#counts.connections());
    return this.#registry.render();
  }
}
