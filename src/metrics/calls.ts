import { Code } from '../api/error.ts';
import { METHODS, type Method, type MethodKind } from '../api/methods.ts';
import { CALL_SECONDS } from './buckets.ts';
import type { Counter, Histogram } from './metric.ts';
import type { Family, Registry } from './registry.ts';

/** Codes as grpc-go spells them in its metrics. */
const CODE_NAMES: Readonly<Record<Code, string>> = {
  [Code.ok]: 'OK',
  [Code.canceled]: 'Canceled',
  [Code.unknown]: 'Unknown',
  [Code.invalidArgument]: 'InvalidArgument',
  [Code.deadlineExceeded]: 'DeadlineExceeded',
  [Code.notFound]: 'NotFound',
  [Code.alreadyExists]: 'AlreadyExists',
  [Code.permissionDenied]: 'PermissionDenied',
  [Code.resourceExhausted]: 'ResourceExhausted',
  [Code.failedPrecondition]: 'FailedPrecondition',
  [Code.aborted]: 'Aborted',
  [Code.outOfRange]: 'OutOfRange',
  [Code.unimplemented]: 'Unimplemented',
  [Code.internal]: 'Internal',
  [Code.unavailable]: 'Unavailable',
  [Code.dataLoss]: 'DataLoss',
  [Code.unauthenticated]: 'Unauthenticated',
};

/** The label grpc_type, likewise. */
const KIND_NAMES: Readonly<Record<MethodKind, string>> = {
  unary: 'unary',
  server_streaming: 'server_stream',
  bidi_streaming: 'bidi_stream',
};

const LABELS = ['grpc_service', 'grpc_method', 'grpc_type'] as const;

/** The label grpc_code of grpc_server_handled_total. */
export function codeName(code: Code): string {
  return CODE_NAMES[code];
}

/** What is counted of one method. */
class MethodCalls {
  readonly started: Counter;
  /** Of all methods of its kind. */
  readonly requests: Counter;
  readonly #handled = new Map<Code, Counter>();
  /** Null where nobody asks how long it takes. */
  seconds: Histogram | null = null;

  constructor(
    { service, name, kind }: Method,
    started: Family<Counter, typeof LABELS>,
    handled: Family<Counter, readonly [...typeof LABELS, 'grpc_code']>,
    requests: Counter,
  ) {
    const labels = [service, name, KIND_NAMES[kind]] as const;
    this.started = started.with(...labels);
    this.requests = requests;
    for (const code of Object.values(Code)) {
      this.#handled.set(code, handled.with(...labels, codeName(code)));
    }
  }

  handled(code: Code): Counter | undefined {
    return this.#handled.get(code);
  }
}

/**
 * Clients' calls, under the names of go-grpc-prometheus: unary calls, streams and errors. As with
 * etcd every series is there from the start, at zero: a rate misses what a series begins with.
 */
export class CallMetrics {
  readonly #byPath = new Map<string, MethodCalls>();
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
    const started = registry.counters('grpc_server_started_total', 'Calls begun.', LABELS);
    const handled = registry.counters('grpc_server_handled_total', 'Calls ended, by code.', [
      ...LABELS,
      'grpc_code',
    ]);
    const requests = registry.counters(
      'etcd_server_client_requests_total',
      'Requests by kind; clients of the gateway do not tell their version.',
      ['type', 'client_api_version'],
    );
    for (const method of METHODS) {
      const ofKind = requests.with(method.kind === 'unary' ? 'unary' : 'stream', 'unknown');
      this.#byPath.set(method.path, new MethodCalls(method, started, handled, ofKind));
    }
  }

  /** ETCD_METRICS=extensive: how long calls take. */
  measureSeconds(): void {
    const seconds = this.#registry.histograms(
      'grpc_server_handling_seconds',
      'How long calls took.',
      LABELS,
      CALL_SECONDS,
    );
    for (const { path, service, name, kind } of METHODS) {
      this.measureInto(path, seconds.with(service, name, KIND_NAMES[kind]));
    }
  }

  /** The time that a method takes is what the histogram is about. */
  measureInto(path: string, seconds: Histogram): void {
    const calls = this.#byPath.get(path);
    if (calls && calls.seconds === null) calls.seconds = seconds;
  }

  started(path: string): void {
    const calls = this.#byPath.get(path);
    calls?.started.inc();
    calls?.requests.inc();
  }

  handled(path: string, code: Code, seconds: number): void {
    const calls = this.#byPath.get(path);
    calls?.handled(code)?.inc();
    calls?.seconds?.observe(seconds);
  }

  /** Calls of the method that went well. */
  succeeded(path: string): number {
    return this.#byPath.get(path)?.handled(Code.ok)?.value ?? 0;
  }
}
