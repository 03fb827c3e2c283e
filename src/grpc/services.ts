import type {
  Server,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
} from '@grpc/grpc-js';
import { Code, EtcdError } from '../api/error.ts';
import { METHODS, type Method } from '../api/methods.ts';
import { bridgeLimits } from '../config/bridge.ts';
import { messageOf } from '../lib/error.ts';
import type { BridgeMetrics } from './bridge_metrics.ts';
import { callContext } from './call_context.ts';
import { GrpcClientStream, statusOf } from './client_stream.ts';
import type { WatchHubs } from './hubs.ts';
import { SnapshotRelay } from './snapshot_relay.ts';
import type { Upstream } from './upstream.ts';
import { WatchStream } from './watch_stream.ts';

type Unary = ServerUnaryCall<Buffer, Uint8Array>;
type Duplex = ServerDuplexStream<Buffer, Uint8Array>;
type Writable = ServerWritableStream<Buffer, Uint8Array>;

/** What the services of etcd's API are served by. */
export interface ServiceHost {
  readonly upstream: Upstream;
  readonly hubs: WatchHubs;
  readonly metrics: BridgeMetrics;
}

/** Messages go through as they are: nobody here needs to know what is in them. */
const asBytes = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
const asBuffer = (bytes: Buffer): Buffer => bytes;

/** Serves etcd's API: every method of every service. */
export function addServices(server: Server, host: ServiceHost): void {
  for (const method of METHODS.filter(isCanonical)) {
    const path = `/${method.service}/${method.name}`;
    if (method.kind === 'unary') {
      server.register(path, unary(host, method), asBytes, asBuffer, 'unary');
    } else if (method.kind === 'server_streaming') {
      const isSnapshot = method.path === '/v3/maintenance/snapshot';
      const handler = isSnapshot ? snapshot(host, method) : serverStream(host, method);
      server.register(path, handler, asBytes, asBuffer, 'serverStream');
    } else {
      const isWatch = method.path === '/v3/watch';
      const handler = isWatch ? watch(host, method) : bidiStream(host, method);
      server.register(path, handler, asBytes, asBuffer, 'bidi');
    }
  }
}

/** The gateway has aliases of some methods; gRPC has not. */
function isCanonical(method: Method): boolean {
  const same = ({ service, name }: Method) => service === method.service && name === method.name;
  return METHODS.find(same) === method;
}

function unary({ upstream, metrics }: ServiceHost, method: Method) {
  return (call: Unary, respond: sendUnaryData<Uint8Array>): void => {
    let answer: Uint8Array | null = null;
    const done = (error: EtcdError | null): void => {
      metrics.handled(method, error?.code ?? Code.ok);
      if (error !== null) respond(statusOf(error));
      else respond(null, answer);
    };
    guarded(done, () => {
      const context = callContext(call.metadata, call.getDeadline());
      const opened = upstream.open(method, context, {
        message: (bytes) => {
          answer = bytes;
        },
        end: done,
      });
      call.on('cancelled', () => opened.cancel());
      opened.send(call.request);
      opened.finish();
    });
  };
}

function serverStream(host: ServiceHost, method: Method) {
  return (call: Writable): void => {
    const client = openStream(host, method, call, () => opened?.cancel());
    const opened = relay(host, method, call, client);
    guarded(
      (error) => client.end(error),
      () => {
        opened.send(call.request);
        opened.finish();
      },
    );
  };
}

function snapshot(host: ServiceHost, method: Method) {
  return (call: Writable): void => {
    const client = openStream(host, method, call, () => relayed?.close());
    const context = callContext(call.metadata, call.getDeadline());
    const relayed = new SnapshotRelay(host.upstream, context, client);
  };
}

function bidiStream(host: ServiceHost, method: Method) {
  return (call: Duplex): void => {
    const client = openStream(host, method, call, () => opened?.cancel());
    const opened = relay(host, method, call, client);
    const fail = (error: EtcdError | null): void => {
      opened.cancel();
      client.end(error);
    };
    call.on('data', (bytes: Buffer) => guarded(fail, () => opened.send(bytes)));
    call.on('end', () => opened.finish());
  };
}

function watch(host: ServiceHost, method: Method) {
  return (call: Duplex): void => {
    const client = openStream(host, method, call, () => stream.close());
    const context = callContext(call.metadata, call.getDeadline());
    const stream = new WatchStream(host.hubs, context, client);
    const fail = (error: EtcdError | null): void => {
      stream.close();
      client.end(error);
    };
    call.on('data', (bytes: Buffer) => guarded(fail, () => stream.receive(bytes)));
  };
}

/** @param closed called when the stream is over, by whatever cause */
function openStream(
  { metrics }: ServiceHost,
  method: Method,
  call: Duplex | Writable,
  closed: () => void,
): GrpcClientStream {
  metrics.streams.add(1);
  return new GrpcClientStream(call, (error) => {
    metrics.streams.add(-1);
    metrics.handled(method, error?.code ?? Code.ok);
    closed();
  });
}

/** What comes from upstream goes to the client, as fast as it takes it. */
function relay(
  { upstream }: ServiceHost,
  method: Method,
  call: Duplex | Writable,
  client: GrpcClientStream,
) {
  const context = callContext(call.metadata, call.getDeadline());
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

function guarded(fail: (error: EtcdError) => void, work: () => void): void {
  try {
    work();
  } catch (error) {
    fail(error instanceof EtcdError ? error : new EtcdError(Code.internal, messageOf(error)));
  }
}
