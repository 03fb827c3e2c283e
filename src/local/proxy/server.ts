import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { proxyLimits } from '../../config/proxy.ts';
import { limits } from '../../config.ts';
import { messageOf, StartError } from '../error.ts';
import type { Listener } from '../listen_url.ts';
import type { Output } from '../output.ts';
import { systemLookup } from '../resolver.ts';
import { Connections } from './attempt.ts';
import { Director } from './director.ts';
import { Finder } from './finder.ts';
import { listMembers } from './member_list.ts';
import type { ProxyOptions } from './options.ts';
import { ProxyMetrics } from './proxy_metrics.ts';
import { ReverseProxy } from './reverse_proxy.ts';
import { peersByDns } from './srv.ts';

/** A proxy that listens. */
export class ProxyServer {
  readonly #servers: readonly Server[];
  readonly #director: Director;
  readonly #connections: Connections;

  private constructor(servers: readonly Server[], director: Director, connections: Connections) {
    this.#servers = servers;
    this.#director = director;
    this.#connections = connections;
  }

  /**
   * Looks for the members once, and listens then: a proxy that cannot reach a cluster serves all
   * the same, and says so to its clients.
   * @throws StartError when an address is not to be had
   */
  static async open(
    options: ProxyOptions,
    output: Pick<Output, 'line' | 'warning'>,
  ): Promise<ProxyServer> {
    const { timeouts, isReadonly, failureWaitMs, refreshIntervalMs } = options;
    const lookup = systemLookup(options.dnsServers);
    const finder = new Finder(options.start, {
      list: listMembers,
      resolve: (name) => peersByDns(name, lookup),
    });
    const director = new Director({
      find: () => finder.find(),
      failureWaitMs,
      refreshIntervalMs,
      writeTimeoutMs: timeouts.writeMs,
      output,
    });
    const connections = new Connections(timeouts);
    const metrics = new ProxyMetrics();
    const proxy = new ReverseProxy({ director, connections, metrics, isReadonly });
    const servers = options.listen.map(() => serverOf(proxy, output));
    const opened = new ProxyServer(servers, director, connections);
    try {
      await director.start();
      for (const [i, server] of servers.entries()) await listen(server, options.listen[i]);
    } catch (error) {
      await opened.close();
      throw error;
    }
    return opened;
  }

  /** Takes no more requests, and gives those under way a little time. */
  async close(): Promise<void> {
    this.#director.stop();
    const closed = this.#servers.map((server) => {
      const ended = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      return ended;
    });
    await Promise.race([
      Promise.all(closed),
      sleep(proxyLimits.stopTimeoutMs, undefined, { ref: false }),
    ]);
    for (const server of this.#servers) server.closeAllConnections();
    this.#connections.close();
  }
}

function serverOf(proxy: ReverseProxy, output: Pick<Output, 'warning'>): Server {
  const server = createServer({
    requestTimeout: limits.bodyTimeoutMs,
    keepAliveTimeout: proxyLimits.idleClientMs,
    keepAlive: true,
    keepAliveInitialDelay: proxyLimits.keepAliveMs,
    noDelay: true,
  });
  server.maxConnections = proxyLimits.connectionsMax;
  // What goes wrong here concerns one connection only, which is ended with it.
  const guarded = (done: Promise<void>, end: () => void): void => {
    done.catch((error: unknown) => {
      output.warning(`a request failed: ${messageOf(error)}`);
      end();
    });
  };
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    guarded(proxy.serve(request, response), () => response.destroy());
  });
  server.on('upgrade', (request, socket, head) => {
    guarded(proxy.upgrade(request, socket, head), () => socket.destroy());
  });
  return server;
}

async function listen(server: Server, address: Listener | undefined): Promise<void> {
  try {
    server.listen({ ...address });
    await once(server, 'listening');
  } catch (error) {
    throw new StartError(`cannot listen: ${messageOf(error)}`);
  }
}
