import type { CallContext } from '../api/call.ts';
import { Code, EtcdError } from '../api/error.ts';
import { METHODS, type Method } from '../api/methods.ts';
import { bridgeLimits } from '../config/bridge.ts';
import type { BridgeMetrics } from './bridge_metrics.ts';
import { callContext } from './call_context.ts';
import { GrpcClientStream } from './client_stream.ts';
import type { GrpcServer } from './grpc_server.ts';
import type { WatchHubs } from './hubs.ts';
import type { CallReceiver, ServerCall, Service } from './server_call.ts';
import { SnapshotRelay } from './snapshot_relay.ts';
import type { Upstream, UpstreamCall } from './upstream.ts';
import { WatchStream } from './watch_stream.ts';

/** What the services of etcd's API are served by. */
export interface ServiceHost {
  readonly upstream: Upstream;
  readonly hubs: WatchHubs;
  readonly metrics: BridgeMetrics;
}

/**
 * Serves etcd's API: every method of every service. Messages go through as they are: nobody here
 * needs to know what is in them.
 */
export function addServices(server: GrpcServer, host: ServiceHost): void {
  for (const method of METHODS.filter(isCanonical)) {
    server.register(`/${method.service}/${method.name}`, serviceOf(host, method));
  }
}

/** The gateway has aliases of some methods; gRPC has not. */
function isCanonical(method: Method): boolean {
  const same = ({ service, name }: Method) => service === method.service && name === method.name;
  return METHODS.find(same) === method;
}

function serviceOf(host: ServiceHost, method: Method): Service {
  if (method.kind === 'unary') return (call) => new UnaryCall(host, method, call);
  if (method.path === '/v3/watch') return watch(host, method);
  if (method.path === '/v3/maintenance/snapshot') return snapshot(host, method);
  return relayed(host, method);
}

/** One request and its answer. */
class UnaryCall implements CallReceiver {
  readonly #metrics: BridgeMetrics;
  readonly #method: Method;
  readonly #opened: UpstreamCall;
  #isAsked = false;

  constructor({ upstream, metrics }: ServiceHost, method: Method, call: ServerCall) {
    this.#metrics = metrics;
    this.#method = method;
    let answer: Uint8Array | null = null;
    this.#opened = upstream.open(method, callContext(call), {
      message: (bytes) => {
        answer = bytes;
      },
      end: (error) => {
        metrics.handled(method, error?.code ?? Code.ok);
        if (error === null && answer !== null) call.answer(answer);
        else call.end(error);
      },
    });
  }

  message(bytes: Uint8Array): void {
    if (this.#isAsked) throw new EtcdError(Code.internal, 'grpc: a second request');
    this.#isAsked = true;
    this.#opened.send(bytes);
    this.#opened.finish();
  }

  finished(): void {
    if (!this.#isAsked) throw new EtcdError(Code.internal, 'grpc: there is no request');
  }

  cancelled(): void {
    this.#metrics.handled(this.#method, Code.canceled);
    this.#opened.cancel();
  }
}

/** What the client sends goes upstream, and what comes from there goes to the client. */
function relayed(host: ServiceHost, method: Method): Service {
  return (call) => {
    const client = openStream(host, method, call, () => opened.cancel());
    const opened = relay(host, method, callContext(call), client);
    return {
      message: (bytes) => opened.send(bytes),
      finished: () => opened.finish(),
      cancelled: () => client.cancelled(),
    };
  };
}

function snapshot(host: ServiceHost, method: Method): Service {
  return (call) => {
    const client = openStream(host, method, call, () => copied.close());
    const copied = new SnapshotRelay(host.upstream, callContext(call), client);
    const nothing = (): void => undefined;
    return { message: nothing, finished: nothing, cancelled: () => client.cancelled() };
  };
}

function watch(host: ServiceHost, method: Method): Service {
  return (call) => {
    const client = openStream(host, method, call, () => stream.close());
    const stream = new WatchStream(host.hubs, callContext(call), client);
    return {
      message: (bytes) => stream.receive(bytes),
      // It goes on for as long as the client listens.
      finished: () => undefined,
      cancelled: () => client.cancelled(),
    };
  };
}

/** @param closed called when the stream is over, by whatever cause */
function openStream(
  { metrics }: ServiceHost,
  method: Method,
  call: ServerCall,
  closed: () => void,
): GrpcClientStream {
  metrics.streams.add(1);
  return new GrpcClientStream(call, (error) => {
    metrics.streams.add(-1);
    metrics.handled(method, error?.code ?? Code.ok);
    closed();
  });
}

/** As fast as the client takes it. */
function relay(
  { upstream }: ServiceHost,
  method: Method,
  context: CallContext,
  client: GrpcClientStream,
): UpstreamCall {
  const opened = upstream.open(method, context, {
    message: (bytes) => {
      client.send(bytes);
      if (client.pendingBytes < bridgeLimits.highWaterBytes) return;
      opened.pause();
      client.drained(() => opened.resume());
    },
    end: (error) => client.end(error),
  });
  return opened;
}
