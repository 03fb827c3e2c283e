import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { freePort } from '../ports.ts';

/** One request that reached a fake member. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Answer = (response: ServerResponse, seen: SeenRequest) => void;

/** A member for tests of the proxy: it says how it is, notes what it gets, and answers as told. */
export class FakeMember {
  readonly url: string;
  readonly seen: SeenRequest[] = [];
  /** One that is not well is asked after those that are. */
  isHealthy = true;
  answer: Answer = (response) => response.end('fine');
  upgraded: (socket: Duplex, request: IncomingMessage) => void = (socket) => socket.destroy();
  /** It takes connections and says nothing, not even how it is. */
  isMute = false;
  readonly #port: number;
  readonly #server: Server;

  private constructor(port: number) {
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on('upgrade', (request, socket) => this.upgraded(socket, request));
  }

  static async start(isHealthy = true): Promise<FakeMember> {
    const member = new FakeMember(await freePort());
    member.isHealthy = isHealthy;
    await member.listen();
    return member;
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.isMute) return;
    const { method = '', url = '', headers } = request;
    if (url === '/version') return void response.end('{}');
    if (url === '/health') return void response.writeHead(this.isHealthy ? 200 : 503).end();
    const isSearch = /^\/(members|v2\/members|v3\/cluster\/member\/list)$/.test(url);
    if (isSearch) return void response.writeHead(404).end();
    const seen = { method, url, headers, body: await text(request).catch(() => '') };
    this.seen.push(seen);
    this.answer(response, seen);
  }
}
