import type { CallContext, CallReply } from '../../api/call.ts';
import { EtcdError } from '../../api/error.ts';
import { type Method, methodOf } from '../../api/methods.ts';
import { limits } from '../../config.ts';
import { textOf } from '../../lib/bytes.ts';
import type { Sessions } from '../session/sessions.ts';
import type { LiveStream } from './live_stream.ts';
import { SocketOutlet } from './socket_outlet.ts';
import type { Streams } from './streams.ts';

/** What a running member does for its clients' sockets. */
export interface SocketService {
  readonly streams: Streams;
  readonly sessions: Sessions;
  nowMs(): number;
  call(path: string, body: string, context: CallContext, signal: AbortSignal): Promise<CallReply>;
}

/** What a socket keeps through a hibernation, beside itself. */
export interface Attachment {
  readonly path: string;
  readonly context: CallContext;
  /**
   * `fresh`: no request has come. `open`: its stream has changed since it was last saved, or cannot
   * be. `saved`: a new instance goes on with `session`.
   */
  readonly phase: 'fresh' | 'open' | 'saved';
  readonly session: unknown;
}

/** A client's WebSocket: on one method, or a session. */
export interface SocketClient {
  readonly socket: WebSocket;
  /** What is to be written down now, for the time after a hibernation. */
  attachment(): Attachment;
  /** The same while something is under way that could not be resumed. */
  provisional(): Attachment;
  /** The member runs. @param attached what was written down, if the socket is an old one */
  start(service: SocketService, attached: Attachment | null): void;
  receive(data: string | ArrayBuffer): void;
  /** The member stops, and the client may go elsewhere. */
  stop(): void;
  /** The client is gone, or its connection is. */
  closed(): void;
}

/**
 * A client's WebSocket on one method. Messages hold requests, as many as they like but whole ones;
 * a method of one request and one answer is closed after its answer.
 */
export class ClientSocket implements SocketClient {
  readonly socket: WebSocket;
  readonly #path: string;
  readonly #context: CallContext;
  readonly #changed: () => void;
  #phase: 'fresh' | 'open' = 'fresh';
  #stream: LiveStream | null = null;
  readonly #hungUp = new AbortController();
  #outlet: SocketOutlet | null = null;
  #queue: string[] = [];
  #service: SocketService | null = null;

  /** @param changed called when what {@link attachment} says has changed */
  constructor(socket: WebSocket, path: string, context: CallContext, changed: () => void) {
    this.socket = socket;
    this.#path = path;
    this.#context = context;
    this.#changed = changed;
  }

  attachment(): Attachment {
    const session = this.#phase === 'fresh' ? null : (this.#stream?.save() ?? null);
    const phase = this.#phase === 'open' && session !== null ? 'saved' : this.#phase;
    return { path: this.#path, context: this.#context, phase, session };
  }

  provisional(): Attachment {
    return { path: this.#path, context: this.#context, phase: this.#phase, session: null };
  }

  /** The member runs: the method begins, or goes on from what was attached. */
  start(service: SocketService, attached: Attachment | null): void {
    this.#service = service;
    const outlet = new SocketOutlet(this.socket, () => service.nowMs());
    this.#outlet = outlet;
    const method = methodOf(this.#path);
    if (method === undefined) return outlet.answer('Not Found');
    if (attached?.phase === 'saved') {
      this.#phase = 'open';
      const { session } = attached;
      this.#stream = service.streams.resume(method, this.#context, outlet, session, this.#changed);
    } else if (attached?.phase === 'open') {
      return outlet.end(EtcdError.of('stopped'));
    } else if (method.kind === 'bidi_streaming') {
      this.#open(method);
    }
    const queue = this.#queue;
    this.#queue = [];
    for (const text of queue) this.receive(text);
  }

  receive(data: string | ArrayBuffer): void {
    const text = typeof data === 'string' ? data : textOf(new Uint8Array(data));
    if (this.#service === null) {
      if (this.#queue.length < limits.socketQueueMessagesMax) this.#queue.push(text);
      else this.socket.close(1013, 'etcdserver: too many requests');
      return;
    }
    const method = methodOf(this.#path);
    if (method === undefined) return;
    if (method.kind === 'bidi_streaming') return this.#stream?.receive(text);
    // Of a method that takes one request the first is it.
    if (this.#phase === 'open') return;
    if (method.kind === 'unary') return this.#call(text);
    this.#open(method);
    this.#stream?.receive(text);
    this.#stream?.halfClosed();
  }

  stop(): void {
    if (this.#stream === null) this.#outlet?.end(EtcdError.of('stopped'));
    this.closed();
  }

  closed(): void {
    this.#stream?.gone();
    this.#hungUp.abort();
  }

  #open(method: Method): void {
    if (this.#service === null || this.#outlet === null) return;
    this.#phase = 'open';
    this.#stream = this.#service.streams.open(method, this.#context, this.#outlet, this.#changed);
    this.#changed();
  }

  #call(text: string): void {
    const service = this.#service;
    const outlet = this.#outlet;
    if (service === null || outlet === null) return;
    this.#phase = 'open';
    this.#changed();
    void service
      .call(this.#path, text, this.#context, this.#hungUp.signal)
      .then(({ body }) => outlet.answer(body));
  }
}
