import type { Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { bridgeLimits } from '../config/bridge.ts';
import { limits } from '../config.ts';
import { BridgeMetrics } from './bridge_metrics.ts';
import { Front } from './front.ts';
import { addHealthService } from './health.ts';
import { WatchHubs } from './hubs.ts';
import { openHttp2 } from './opening.ts';
import { addReflectionService } from './reflection.ts';
import { addServices } from './services.ts';
import type { Upstream } from './upstream.ts';

export interface BridgeOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsOptions | null;
  readonly upstream: Upstream;
  /** What connections are given to that do not speak gRPC. */
  http1(socket: Socket): void;
  isHealthy(): Promise<boolean>;
}

/**
 * gRPC for clients that speak nothing else: one port, behind which every service of etcd's API is
 * relayed to a cluster. It keeps nothing but connections.
 */
export class Bridge {
  readonly metrics: BridgeMetrics;
  readonly #server: Server;
  readonly #front: Front;
  readonly #upstream: Upstream;

  constructor({ upstream, isHealthy, http1, ...listening }: BridgeOptions) {
    const hubs = new WatchHubs(upstream);
    this.#upstream = upstream;
    this.#server = new Server({
      'grpc.max_receive_message_length': limits.messageBytesMax,
      'grpc.max_send_message_length': -1,
      'grpc.max_concurrent_streams': bridgeLimits.streamsPerConnectionMax,
      // Nobody looks at its counts of channels and calls, which cost every call a little.
      'grpc.enable_channelz': 0,
    });
    // The front has done what is to be done about TLS.
    const injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#front = new Front({
      ...listening,
      http1,
      http2: (socket) => openHttp2(socket, (opened) => injector.injectConnection(opened)),
    });
    this.metrics = new BridgeMetrics({
      sharedWatches: () => hubs.sharedCount,
      connections: () => this.#front.connectionCount,
    });
    const { metrics } = this;
    addServices(this.#server, { upstream, hubs, metrics });
    addHealthService(this.#server, isHealthy);
    addReflectionService(this.#server);
  }

  /** @throws Error when the port cannot be had */
  listen(): Promise<void> {
    return this.#front.listen();
  }

  close(): void {
    this.#front.close();
    this.#upstream.close();
    this.#server.forceShutdown();
  }
}
