import type { CallContext, CallReply } from '../../api/call.ts';
import { Code, EtcdError } from '../../api/error.ts';
import { encodeError } from '../../api/error-body.ts';
import { methodOf } from '../../api/methods.ts';
import type { Welcome } from '../../api/session-answer.ts';
import { encodeHints, type StreamCall } from '../../api/stream-call.ts';
import type { KeysWait } from '../../api/v2/call.ts';
import { limits } from '../../config.ts';
import { textOf } from '../../lib/bytes.ts';
import type { Calls } from '../session/calls.ts';
import { Sessions } from '../session/sessions.ts';
import type { V2Outlet } from '../v2/waits.ts';
import { ClientSockets, type Hibernation } from './client_sockets.ts';
import { type Format, jsonLines } from './format.ts';
import { HttpAnswer } from './http_answer.ts';
import { HttpOutlet } from './http_outlet.ts';
import { KeysOutlet } from './keys_outlet.ts';
import { serverSentEvents } from './server_sent_events.ts';
import { Streams, type StreamsHost } from './streams.ts';

/** What a member that runs does for clients that stay for longer than one answer. */
export interface ClientStreamsHost extends StreamsHost {
  /** What sessions call. */
  readonly sessionCalls: Pick<Calls, 'begin'>;
  /** Who this is, for sessions. */
  identity(): Omit<Welcome, 'version'>;
  readonly leaderName: string | null;
  call(path: string, body: string, context: CallContext, signal: AbortSignal): Promise<CallReply>;
  /** A request of the v2 API that waits. @returns what to call when its client is gone */
  waitForKeys(wait: KeysWait, outlet: V2Outlet): Promise<() => void>;
}

/**
 * The ways into a member that take longer than one call: streams over HTTP, as JSON or as
 * server-sent events, WebSockets, and unary methods that wait.
 */
export class ClientStreams {
  readonly #sockets: ClientSockets;
  readonly #checkCurrent: () => void;
  readonly #nowMs: () => number;
  /** When the next message is a reason to look. */
  #checkMs = 0;
  #host: ClientStreamsHost | null = null;
  #streams: Streams | null = null;
  readonly #waits = new Set<KeysOutlet>();

  /** @param checkCurrent throws at an instance of the object that another one has replaced */
  constructor(platform: Hibernation, checkCurrent: () => void, nowMs: () => number) {
    this.#checkCurrent = checkCurrent;
    this.#nowMs = nowMs;
    this.#sockets = new ClientSockets(platform);
  }

  /** The member runs: streams are taken in, and those of sleeping sockets go on. */
  start(host: ClientStreamsHost): void {
    const streams = new Streams(host);
    const sessions = new Sessions(host.sessionCalls, streams, () => host.identity());
    this.#host = host;
    this.#streams = streams;
    this.#sockets.start({
      streams,
      sessions,
      nowMs: () => host.nowMs(),
      call: (path, body, context, signal) => host.call(path, body, context, signal),
    });
  }

  /** The member does not run any more: every stream ends. */
  stop(): void {
    this.#streams?.stop();
    this.#sockets.stop();
    for (const outlet of this.#waits) outlet.break('the member stops');
    this.#waits.clear();
    this.#streams = null;
    this.#host = null;
  }

  get openCount(): number {
    return this.#streams?.count ?? 0;
  }

  leaderChanged(): void {
    this.#streams?.leaderChanged();
  }

  /**
   * A message may concern nothing but memory (a watch is cancelled, or asked how far it is): an
   * instance that was replaced would go on with a stream whose events nobody tells it any more.
   */
  received(socket: WebSocket, data: string | ArrayBuffer): void {
    const nowMs = this.#nowMs();
    if (nowMs >= this.#checkMs) {
      this.#checkMs = nowMs + limits.streamCheckMs;
      this.#checkCurrent();
    }
    this.#sockets.received(socket, data);
  }

  closed(socket: WebSocket, code: number | null): void {
    this.#sockets.closed(socket, code);
  }

  /** @param reason why the member does not run, if it does not */
  async fetch(request: Request, call: StreamCall, reason: string): Promise<Response> {
    const host = this.#host;
    const streams = this.#streams;
    if (host === null || streams === null) return unavailable(reason);
    if (call.delivery === 'socket') return this.#sockets.accept(call);
    // Not as text: that drops a mark of byte order, which is not for us to forgive.
    const body = textOf(new Uint8Array(await request.arrayBuffer()));
    if (call.delivery === 'keys') return this.#waitForKeys(host, streams, body, request.signal);
    if (call.delivery === 'wait') return this.#wait(host, call, body, request.signal);
    const format = call.delivery === 'events' ? serverSentEvents(body) : jsonLines;
    const headers = () => ({
      'Content-Type': format.contentType,
      ...encodeHints({ leader: host.leaderName, retry: false }),
    });
    const answer = new HttpAnswer(headers, format.blank, host.nowMs());
    request.signal.addEventListener('abort', () => answer.hungUp());
    this.#open(streams, call, body, answer, format);
    return answer.response;
  }

  /** Not counted with the streams of v3: they have a bound of their own. */
  async #waitForKeys(
    host: ClientStreamsHost,
    streams: Streams,
    body: string,
    signal: AbortSignal,
  ): Promise<Response> {
    const hints = () => encodeHints({ leader: host.leaderName, retry: false });
    const outlet = new KeysOutlet(hints, host.nowMs());
    const { answerer } = outlet;
    signal.addEventListener('abort', () => answerer.hungUp());
    const gone = host.waitForKeys(JSON.parse(body) as KeysWait, outlet);
    const over = () => {
      this.#waits.delete(outlet);
      streams.forget(answerer);
      void gone.then((close) => close());
    };
    this.#waits.add(outlet);
    streams.watchOver(answerer);
    answerer.whenOver(over);
    return answerer.response;
  }

  #open(
    streams: Streams,
    { path, context }: StreamCall,
    body: string,
    answer: HttpAnswer,
    format: Format,
  ): void {
    const outlet = new HttpOutlet(answer, format);
    const method = methodOf(path);
    if (method === undefined || method.kind === 'unary') return outlet.end(notAStream(path));
    const stream = streams.open(method, context, outlet);
    answer.whenGone(() => stream.gone());
    stream.receive(body);
    stream.halfClosed();
  }

  /** A unary method that waits. The gateway cancels its request when the client hangs up. */
  async #wait(
    host: ClientStreamsHost,
    { path, context }: StreamCall,
    body: string,
    signal: AbortSignal,
  ): Promise<Response> {
    const reply = await host.call(path, body, context, signal);
    return new Response(reply.body, { status: reply.status, headers: encodeHints(reply) });
  }
}

function unavailable(reason: string): Response {
  const { status, body } = encodeError(new EtcdError(Code.unavailable, `etcdserver: ${reason}`));
  return new Response(body, { status, headers: encodeHints({ leader: null, retry: true }) });
}

function notAStream(path: string): EtcdError {
  return new EtcdError(Code.unimplemented, `${path} is not a stream`);
}
