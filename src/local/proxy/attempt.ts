import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { proxyLimits } from '../../config/proxy.ts';
import type { Endpoint } from './endpoint.ts';

/** A request as it is sent, however often. */
export interface Outgoing {
  readonly method: string;
  readonly path: string;
  /** For the member at this host. */
  readonly headersFor: (host: string) => string[];
  readonly body: Buffer | null;
  /** It changes nothing, so that it may be asked of another member although it was sent. */
  readonly isRepeatable: boolean;
}

/** What came of it. */
export type Outcome =
  | { readonly kind: 'answer'; readonly response: IncomingMessage }
  | {
      readonly kind: 'switched';
      readonly response: IncomingMessage;
      readonly socket: Duplex;
      readonly head: Buffer;
    }
  | {
      readonly kind: 'failure';
      /** Not a byte has reached the member. */
      readonly isUnsent: boolean;
      readonly reason: string;
    };

/** In milliseconds; 0: none. */
export interface Timeouts {
  readonly dialMs: number;
  readonly writeMs: number;
  readonly readMs: number;
}

/** The connections to members. */
export class Connections {
  readonly timeouts: Timeouts;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  constructor(timeouts: Timeouts) {
    const options = {
      keepAlive: true,
      // What is idle for longer is closed; a request's own time is not bounded by it.
      timeout: proxyLimits.idleConnectionMs,
      maxFreeSockets: proxyLimits.idleConnectionsMax,
      scheduling: 'lifo' as const,
      noDelay: true,
    };
    this.timeouts = timeouts;
    this.#http = new HttpAgent(options);
    this.#https = new HttpsAgent(options);
  }

  request(url: URL, { method, path, headersFor }: Outgoing): ClientRequest {
    const isSecure = url.protocol === 'https:';
    return (isSecure ? httpsRequest : httpRequest)({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? (isSecure ? 443 : 80) : url.port,
      method,
      path,
      headers: headersFor(url.host),
      agent: isSecure ? this.#https : this.#http,
    });
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

/** One request at one member. */
export class Attempt {
  readonly startedMs = performance.now();
  readonly isRepeatable: boolean;
  readonly outcome: Promise<Outcome>;
  readonly #request: ClientRequest;
  #isWritten = false;
  #reason: string | null = null;

  constructor(endpoint: Endpoint, outgoing: Outgoing, connections: Connections) {
    this.isRepeatable = outgoing.isRepeatable;
    this.#request = connections.request(new URL(endpoint.url), outgoing);
    endpoint.owed.add(this);
    this.outcome = this.#settle(connections.timeouts).finally(() => endpoint.owed.delete(this));
    this.#request.once('finish', () => {
      this.#isWritten = true;
    });
    this.#request.end(outgoing.body ?? undefined);
  }

  /** The member does not even read. */
  isStuck(nowMs: number, writeMs: number): boolean {
    return writeMs > 0 && !this.#isWritten && nowMs - this.startedMs > writeMs;
  }

  /** Nobody waits for it any more, or not here. What was answered is not touched. */
  end(reason: string): void {
    this.#reason ??= reason;
    this.#request.destroy(new Error(reason));
  }

  #settle({ dialMs, readMs }: Timeouts): Promise<Outcome> {
    const request = this.#request;
    let isUnsent = true;
    return new Promise((resolve) => {
      request.once('socket', (socket) => {
        if (!socket.connecting) {
          isUnsent = false;
          return;
        }
        // A member that is gone without a word ends the streams from it.
        socket.setKeepAlive(true, proxyLimits.keepAliveMs);
        const timer = dialMs > 0 ? setTimeout(() => this.end('i/o timeout'), dialMs) : undefined;
        socket.once('close', () => clearTimeout(timer));
        socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => {
          clearTimeout(timer);
          isUnsent = false;
        });
      });
      if (readMs > 0) request.setTimeout(readMs, () => this.end('i/o timeout'));
      request.once('response', (response) => resolve({ kind: 'answer', response }));
      request.once('upgrade', (response, socket, head) => {
        resolve({ kind: 'switched', response, socket, head });
      });
      // Also afterwards: what was resolved already stays so.
      request.on('error', (error) => {
        resolve({ kind: 'failure', isUnsent, reason: this.#reason ?? error.message });
      });
    });
  }
}
