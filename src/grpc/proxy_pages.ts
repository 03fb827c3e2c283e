import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { messageOf } from '../lib/error.ts';
import type { Endpoints } from './endpoints.ts';

/** A cluster that has not answered by then is not well. */
const ASK_TIMEOUT_MS = 8_000;

/** What a bridge of its own answers to HTTP: etcd's proxy has the same pages. */
export class ProxyPages {
  readonly #endpoints: Endpoints;
  readonly #metrics: () => string;
  readonly #server: Server;

  constructor(endpoints: Endpoints, metrics: () => string) {
    this.#endpoints = endpoints;
    this.#metrics = metrics;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        response.writeHead(503, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ health: 'false', reason: messageOf(error) }));
      });
    });
  }

  connected(socket: Socket): void {
    this.#server.emit('connection', socket);
  }

  async isHealthy(): Promise<boolean> {
    return this.#ask('/health').then(
      ({ ok }) => ok,
      () => false,
    );
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?')[0];
    if (path === '/metrics') {
      response.setHeader('content-type', 'text/plain; version=0.0.4');
      response.end(this.#metrics());
    } else if (path === '/health' || path === '/proxy/health' || path === '/version') {
      const answer = await this.#ask(path === '/version' ? path : '/health');
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(await answer.text());
    } else {
      response.writeHead(404, { 'content-type': 'text/plain' });
      response.end('404 page not found\n');
    }
  }

  /** The first endpoint that can be reached. */
  async #ask(path: string): Promise<Response> {
    for (let left = this.#endpoints.count; ; left--) {
      const url = this.#endpoints.current;
      try {
        return await fetch(url + path, { signal: AbortSignal.timeout(ASK_TIMEOUT_MS) });
      } catch (error) {
        this.#endpoints.failed(url);
        if (left <= 1) throw error;
      }
    }
  }
}
