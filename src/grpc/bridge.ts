import type { Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { BridgeMetrics } from './bridge_metrics.ts';
import { Front } from './front.ts';
import { GrpcServer } from './grpc_server.ts';
import { addHealthService } from './health.ts';
import { WatchHubs } from './hubs.ts';
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
  readonly #front: Front;
  readonly #upstream: Upstream;

  constructor({ upstream, isHealthy, http1, ...listening }: BridgeOptions) {
    const hubs = new WatchHubs(upstream);
    this.#upstream = upstream;
    const server = new GrpcServer();
    this.#front = new Front({
      ...listening,
      http1,
      http2: (socket) => server.connected(socket),
    });
    this.metrics = new BridgeMetrics({
      sharedWatches: () => hubs.sharedCount,
      connections: () => this.#front.connectionCount,
    });
    const { metrics } = this;
    addServices(server, { upstream, hubs, metrics });
    addHealthService(server, isHealthy);
    addReflectionService(server);
  }

  /** @throws Error when the port cannot be had */
  listen(): Promise<void> {
    return this.#front.listen();
  }

  close(): void {
    this.#front.close();
    this.#upstream.close();
  }
}
