import { WebSocket } from 'ws';
import type { CallContext } from '../api/call.ts';
import { Code, EtcdError } from '../api/error.ts';
import { isRead, type Method } from '../api/methods.ts';
import { limits } from '../config.ts';
import { messageOf } from '../lib/error.ts';
import type { Endpoints } from './endpoints.ts';
import { errorOf, requestJson, responseBytes, streamFrame } from './gateway_codec.ts';
import type { CallListener, Upstream, UpstreamCall } from './upstream.ts';

/**
 * A cluster behind its JSON gateway: a request for each unary call, a WebSocket for each stream.
 */
export class GatewayUpstream implements Upstream {
  readonly #endpoints: Endpoints;
  readonly #calls = new Set<UpstreamCall>();

  constructor(endpoints: Endpoints) {
    this.#endpoints = endpoints;
  }

  open(method: Method, context: CallContext, listener: CallListener): UpstreamCall {
    const calls = this.#calls;
    const end = (error: EtcdError | null): void => {
      if (calls.delete(call)) listener.end(error);
    };
    const message = (bytes: Uint8Array): void => {
      if (calls.has(call)) listener.message(bytes);
    };
    const opened = { method, context, listener: { message, end } };
    const call: UpstreamCall =
      method.kind === 'unary'
        ? new UnaryCall(this.#endpoints, opened, () => calls.delete(call))
        : new StreamCall(this.#endpoints, opened, () => calls.delete(call));
    calls.add(call);
    return call;
  }

  close(): void {
    for (const call of this.#calls) call.cancel();
  }
}

interface OpenedCall {
  readonly method: Method;
  readonly context: CallContext;
  readonly listener: CallListener;
}

/** What the gateway reads off a request's headers. */
function headersOf({ token, timeoutMs, requireLeader }: CallContext): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (token !== null) headers['grpc-metadata-token'] = token;
  if (timeoutMs !== null) headers['grpc-timeout'] = `${Math.max(1, Math.ceil(timeoutMs))}m`;
  if (requireLeader) headers['grpc-metadata-hasleader'] = 'true';
  return headers;
}

/** One request and one answer. */
class UnaryCall implements UpstreamCall {
  readonly #endpoints: Endpoints;
  readonly #call: OpenedCall;
  readonly #cancelled: () => void;
  readonly #abort = new AbortController();

  constructor(endpoints: Endpoints, call: OpenedCall, cancelled: () => void) {
    this.#endpoints = endpoints;
    this.#call = call;
    this.#cancelled = cancelled;
  }

  send(bytes: Uint8Array): void {
    const { method, listener } = this.#call;
    this.#ask(requestJson(method, bytes)).then(
      (answer) => {
        listener.message(answer);
        listener.end(null);
      },
      (error: unknown) => listener.end(error instanceof EtcdError ? error : unexpected(error)),
    );
  }

  finish(): void {}

  cancel(): void {
    this.#cancelled();
    this.#abort.abort();
  }

  pause(): void {}

  resume(): void {}

  /**
   * Endpoints that cannot be reached are passed over. A request that may have arrived is repeated
   * only where that changes nothing.
   */
  async #ask(body: string): Promise<Uint8Array> {
    const { method, context } = this.#call;
    for (let left = this.#endpoints.count; ; left--) {
      const url = this.#endpoints.current;
      let response: Response;
      try {
        const init = { method: 'POST', body, headers: headersOf(context) };
        response = await fetch(url + method.path, { ...init, signal: this.#abort.signal });
      } catch (error) {
        this.#endpoints.failed(url);
        const mayRepeat = wasNotSent(error) || isRead(method.path);
        if (left > 1 && mayRepeat && !this.#abort.signal.aborted) continue;
        throw wasNotSent(error) ? unreachable(url) : connectionLost();
      }
      const text = await response.text().catch(() => {
        throw connectionLost();
      });
      if (!response.ok) throw errorOf(text, response.status);
      return responseBytes(method, text);
    }
  }
}

/** Requests and answers over a WebSocket of their own. */
class StreamCall implements UpstreamCall {
  readonly #endpoints: Endpoints;
  readonly #call: OpenedCall;
  readonly #cancelled: () => void;
  #socket: WebSocket;
  #open = false;
  #triesLeft: number;
  /** Of a call that has not reached anybody yet. */
  readonly #waiting: string[] = [];
  #finished = false;
  #unanswered = 0;

  constructor(endpoints: Endpoints, call: OpenedCall, cancelled: () => void) {
    this.#endpoints = endpoints;
    this.#call = call;
    this.#cancelled = cancelled;
    this.#triesLeft = endpoints.count;
    this.#socket = this.#connect();
  }

  send(bytes: Uint8Array): void {
    const json = requestJson(this.#call.method, bytes);
    this.#unanswered++;
    if (this.#open) this.#socket.send(json);
    else this.#waiting.push(json);
  }

  /**
   * A WebSocket has no way to say so. A watch goes on; keepalives, which are answered one by one,
   * end with the last answer.
   */
  finish(): void {
    this.#finished = true;
    this.#endIfAnswered();
  }

  cancel(): void {
    this.#cancelled();
    this.#socket.close();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  #endIfAnswered(): void {
    if (!this.#finished || this.#unanswered > 0) return;
    if (this.#call.method.path !== KEEP_ALIVE) return;
    this.#call.listener.end(null);
    this.#socket.close();
  }

  #connect(): WebSocket {
    const { method, context } = this.#call;
    const url = this.#endpoints.current;
    const socket = new WebSocket(url.replace(/^http/, 'ws') + method.path, {
      headers: headersOf(context),
      maxPayload: limits.bridgeMessageBytesMax,
      handshakeTimeout: limits.bridgeConnectMs,
    });
    socket.on('open', () => {
      this.#open = true;
      for (const json of this.#waiting.splice(0)) socket.send(json);
    });
    socket.on('message', (data) => this.#received(String(data)));
    socket.on('close', (code, reason) => this.#closed(code, reason.toString()));
    // The socket closes after it, and that is dealt with.
    socket.on('error', (error) => this.#failed(url, error));
    return socket;
  }

  #received(text: string): void {
    const frame = streamFrame(this.#call.method, text);
    if (frame instanceof EtcdError) this.#call.listener.end(frame);
    else this.#call.listener.message(frame);
    this.#unanswered--;
    this.#endIfAnswered();
  }

  #failed(url: string, error: Error): void {
    if (this.#open) return;
    this.#endpoints.failed(url);
    if (--this.#triesLeft > 0) this.#socket = this.#connect();
    else this.#call.listener.end(new EtcdError(Code.unavailable, messageOf(error)));
  }

  #closed(code: number, reason: string): void {
    if (!this.#open) return;
    if (code === NORMAL_CLOSURE) this.#call.listener.end(null);
    else if (reason === '') this.#call.listener.end(connectionLost());
    else this.#call.listener.end(new EtcdError(Code.unavailable, reason));
  }
}

const NORMAL_CLOSURE = 1000;
const KEEP_ALIVE = '/v3/lease/keepalive';

/** Nobody listens there, so that nothing can have come of it. */
function wasNotSent(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'UND_ERR_CONNECT_TIMEOUT';
}

/** In grpc-go's words, by which etcd's clients know that a write may be repeated. */
function unreachable(url: string): EtcdError {
  return new EtcdError(Code.unavailable, `there is no connection available: ${url}`);
}

function connectionLost(): EtcdError {
  return EtcdError.of('timeoutDueToConnectionLost');
}

function unexpected(error: unknown): EtcdError {
  return new EtcdError(Code.internal, messageOf(error));
}
