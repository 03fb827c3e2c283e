import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Duplex, pipeline } from 'node:stream';
import { isRead } from '../../api/reads.ts';
import { NOTHING_DONE } from '../../api/stream-call.ts';
import { Attempt, type Connections, type Outcome, type Outgoing } from './attempt.ts';
import { Bodies, type BodyFailure } from './body.ts';
import type { Director } from './director.ts';
import { headText, passedOn, requestHeaders, type Sender } from './headers.ts';
import type { ProxyMetrics } from './proxy_metrics.ts';
import {
  METHOD_NOT_ALLOWED,
  NOT_IMPLEMENTED,
  ownAnswer,
  type Refusal,
  refusal,
  statusText,
} from './refusal.ts';

export interface ReverseProxyParts {
  readonly director: Director;
  readonly connections: Connections;
  readonly metrics: ProxyMetrics;
  readonly isReadonly: boolean;
}

/** Who waits for an answer, and may leave. */
interface Client {
  /** Calls back once when it leaves, at once if it has left. */
  whenGone(callback: () => void): void;
}

type Delivered = Exclude<Outcome, { kind: 'failure' }> | { kind: 'refused'; refusal: Refusal };

/** How the refusal of a body is put; the words of Go, where it has some. */
const BODY_FAILURES: Readonly<Record<BodyFailure, readonly [status: number, text: string]>> = {
  'too large': [413, 'failed to read request body: http: request body too large'],
  'too many': [503, 'failed to read request body: too many are under way'],
  gone: [400, 'failed to read request body: unexpected EOF'],
};

/**
 * Passes requests on to members, and streams back what they answer. A request goes to a second
 * member only when nothing of it has reached the first, when that one says that it did nothing, or
 * when it changes nothing: what may have been carried out is not sent twice.
 */
export class ReverseProxy {
  readonly #parts: ReverseProxyParts;
  readonly #bodies = new Bodies();

  constructor(parts: ReverseProxyParts) {
    this.#parts = parts;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { metrics } = this.#parts;
    const startMs = performance.now();
    const { method = 'GET', url = '/' } = request;
    const path = pathOf(url);
    const own = this.#ownAnswer(method, path);
    if (own !== null) return send(response, own);
    metrics.came(method);
    const body = await this.#bodies.read(request);
    if (typeof body === 'string') {
      const [status, text] = BODY_FAILURES[body];
      // What is left of the body is not read: the connection is of no more use.
      response.shouldKeepAlive = false;
      return send(response, refusal(status, text, path, true));
    }
    const delivered = await this.#deliver(
      {
        method,
        path: url,
        headersFor: (host) =>
          requestHeaders(request.rawHeaders, host, senderOf(request), body?.length ?? null),
        body,
        isRepeatable: isRepeatable(method, path),
      },
      clientOf(response),
    ).finally(() => this.#bodies.letGo(body));
    if (delivered.kind === 'refused') return send(response, delivered.refusal);
    if (delivered.kind === 'switched') {
      delivered.socket.destroy();
      return send(response, refusal(502, 'unexpected switch of protocols', path, false));
    }
    const answer = delivered.response;
    metrics.handled(method, answer.statusCode ?? 502, startMs);
    relay(answer, response);
  }

  /** A WebSocket, or whatever else a member may agree to. */
  async upgrade(request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    const { metrics, isReadonly } = this.#parts;
    const startMs = performance.now();
    const { method = 'GET', url = '/' } = request;
    const path = pathOf(url);
    client.on('error', () => client.destroy());
    metrics.came(method);
    // Any method can be called by a WebSocket, and a session has all of them.
    if (isReadonly && path !== '/v3/watch') return sendRaw(client, NOT_IMPLEMENTED);
    const { upgrade = '' } = request.headers;
    const delivered = await this.#deliver(
      {
        method,
        path: url,
        headersFor: (host) => [
          ...requestHeaders(request.rawHeaders, host, senderOf(request), null),
          ...['Connection', 'Upgrade', 'Upgrade', upgrade],
        ],
        body: null,
        isRepeatable: true,
      },
      clientOf(client),
    );
    if (delivered.kind === 'refused') return sendRaw(client, delivered.refusal);
    const answer = delivered.response;
    metrics.handled(method, answer.statusCode ?? 502, startMs);
    if (delivered.kind === 'switched') join(delivered, client, head, upgrade);
    else relayRaw(answer, client);
  }

  /** null: it is for a member. */
  #ownAnswer(method: string, path: string): Refusal | null {
    const { director, metrics, isReadonly } = this.#parts;
    if (path === '/metrics') return ownAnswer('text/plain; version=0.0.4', metrics.render());
    const isRefused = isReadonly && method !== 'GET' && !(method === 'POST' && isReadStream(path));
    if (isRefused) return NOT_IMPLEMENTED;
    if (path !== '/v2/config/local/proxy') return null;
    if (method !== 'GET') return METHOD_NOT_ALLOWED;
    const endpoints = director.available.map(({ url }) => url);
    return ownAnswer('text/plain; charset=utf-8', `${JSON.stringify({ endpoints })}\n`);
  }

  async #deliver(outgoing: Outgoing, client: Client): Promise<Delivered> {
    const { director, connections, metrics } = this.#parts;
    const { method } = outgoing;
    const path = pathOf(outgoing.path);
    const endpoints = director.available;
    let current: Attempt | null = null;
    let isGone = false;
    client.whenGone(() => {
      isGone = true;
      current?.end('the client is gone');
    });
    if (endpoints.length === 0) {
      metrics.dropped(method, 'zero_endpoints');
      return refused(refusal(503, 'zero endpoints currently available', path, true));
    }
    let isNothingDone = true;
    let tried = 0;
    for (const endpoint of endpoints) {
      if (isGone) break;
      tried++;
      current = new Attempt(endpoint, outgoing, connections);
      const outcome = await current.outcome;
      const isLast = tried === endpoints.length;
      if (outcome.kind !== 'failure') {
        if (isLast || outcome.kind !== 'answer' || !saysNothingDone(outcome.response))
          return outcome;
        outcome.response.resume();
        continue;
      }
      if (isGone) break;
      metrics.dropped(method, 'failed_sending_request');
      director.failed(endpoint, outcome.reason);
      if (!outcome.isUnsent && !outgoing.isRepeatable) {
        isNothingDone = false;
        break;
      }
    }
    metrics.dropped(method, 'failed_getting_response');
    const text = `unable to get response from ${tried} endpoint(s)`;
    return refused(refusal(502, text, path, isNothingDone));
  }
}

function clientOf(connection: ServerResponse | Duplex): Client {
  const whenGone = (callback: () => void): void => {
    if (connection.destroyed) callback();
    else connection.once('close', callback);
  };
  return { whenGone };
}

function refused(told: Refusal): Delivered {
  return { kind: 'refused', refusal: told };
}

/** Whether a request changes nothing. */
function isRepeatable(method: string, path: string): boolean {
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return true;
  return method === 'POST' && isReadStream(path);
}

function isReadStream(path: string): boolean {
  return isRead(path) || path === '/v3/watch';
}

function saysNothingDone({ headers }: IncomingMessage): boolean {
  return headers[NOTHING_DONE[0].toLowerCase()] !== undefined;
}

/** Without the query. */
function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

function senderOf({ socket }: IncomingMessage): Sender {
  const scheme = 'encrypted' in socket ? 'https' : 'http';
  return { address: socket.remoteAddress ?? 'unknown', scheme };
}

function send(response: ServerResponse, { status, headers, body }: Refusal): void {
  if (response.destroyed) return;
  const length = ['Content-Length', String(Buffer.byteLength(body))];
  response.writeHead(status, statusText(status), [...headers, ...length]);
  response.end(body);
}

function sendRaw(client: Duplex, { status, headers, body }: Refusal): void {
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  client.end(headText(status, statusText(status), headers, length, 'Connection: close') + body);
}

/** Streams an answer back. One that breaks off breaks off here too: nobody takes it for whole. */
function relay(answer: IncomingMessage, response: ServerResponse): void {
  const headers = passedOn(answer.rawHeaders);
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', headers);
  // An answer that has no length may be long in coming: its head says already that it has begun.
  if (answer.headers['content-length'] === undefined) response.flushHeaders();
  pipeline(answer, response, () => {});
}

/** The same where the client has asked for another protocol, and got an answer. */
function relayRaw(answer: IncomingMessage, client: Duplex): void {
  const { statusCode = 502, statusMessage = '', rawHeaders } = answer;
  client.write(headText(statusCode, statusMessage, passedOn(rawHeaders), 'Connection: close'));
  pipeline(answer, client, () => {});
}

/** From here on bytes, both ways, until one of both ends it. */
function join(
  { response, socket, head }: Extract<Outcome, { kind: 'switched' }>,
  client: Duplex,
  clientHead: Buffer,
  upgrade: string,
): void {
  const headers = passedOn(response.rawHeaders);
  const agreed = ['Connection: Upgrade', `Upgrade: ${response.headers.upgrade ?? upgrade}`];
  client.write(headText(101, 'Switching Protocols', headers, ...agreed));
  if (head.length > 0) client.write(head);
  if (clientHead.length > 0) socket.write(clientHead);
  pipeline(socket, client, () => {});
  pipeline(client, socket, () => {});
}
