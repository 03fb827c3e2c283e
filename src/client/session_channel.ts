import type { StreamMethods, UnaryMethods } from '../api/gen/messages.ts';
import { SESSION_PATH } from '../api/session-methods.ts';
import { decodeBinary, encodeBinary } from './binary.ts';
import type { CallContext, Channel, Init, StreamPath, UnaryPath } from './channel.ts';
import { asEtcdError, clientClosed, connectionLost, EtcdError } from './error.ts';
import { type Fields, requestSchema, responseSchema } from './schema.ts';
import { type Answered, SessionConnection } from './session_connection.ts';
import type { OpenSocket } from './socket.ts';

/** Answers of a stream that its reader has not asked for; with more it is ended, to be resumed. */
const UNREAD_ANSWERS_MAX = 4_096;
const UNREAD_BYTES_MAX = 32 * 1024 * 1024;

/** A session with one endpoint: opened by the first call, and again by the first after its end. */
export class SessionChannel implements Channel {
  readonly #url: string;
  readonly #open: OpenSocket;
  #connection: SessionConnection | null = null;
  #connecting: Promise<SessionConnection> | null = null;
  #closed = false;

  /** @param url of the endpoint, without a slash at the end */
  constructor(url: string, open: OpenSocket) {
    this.#url = url + SESSION_PATH;
    this.#open = open;
  }

  async unary<P extends UnaryPath>(
    path: P,
    request: Init<UnaryMethods[P]['request']>,
    context: CallContext,
  ): Promise<UnaryMethods[P]['response']> {
    const bytes = encodeBinary(requestSchema(path), request as Fields);
    const connection = this.#live ?? (await this.#connect(context));
    const response = await answerOf(connection, path, bytes, context);
    return decodeBinary(responseSchema(path), response) as UnaryMethods[P]['response'];
  }

  async *stream<P extends StreamPath>(
    path: P,
    request: Init<StreamMethods[P]['request']>,
    context: CallContext,
  ): AsyncGenerator<StreamMethods[P]['response'], void, void> {
    const bytes = encodeBinary(requestSchema(path), request as Fields);
    const connection = this.#live ?? (await this.#connect(context));
    const answers = new AnswerQueue();
    const id = connection.begin(path, bytes, { ...context, timeoutMs: 0 }, answers, true);
    const abort = () => answers.discard(context.signal?.reason);
    if (context.signal?.aborted) abort();
    context.signal?.addEventListener('abort', abort);
    try {
      for (;;) {
        const answer = await answers.next();
        if (answer === null) return;
        yield decodeBinary(responseSchema(path), answer) as StreamMethods[P]['response'];
      }
    } finally {
      context.signal?.removeEventListener('abort', abort);
      connection.cancel(id);
    }
  }

  close(): void {
    this.#closed = true;
    this.#connection?.close();
  }

  /** As it was when the connection was opened. */
  get leads(): boolean | null {
    const { welcome = null } = this.#live ?? {};
    if (welcome === null || welcome.leaderId === 0n) return null;
    return welcome.leaderId === welcome.memberId;
  }

  get #live(): SessionConnection | null {
    return this.#connection?.over === false ? this.#connection : null;
  }

  /** One connection for all who want it. */
  #connect(context: CallContext): Promise<SessionConnection> {
    if (this.#closed) throw clientClosed();
    this.#connecting ??= this.#connectNow(context).finally(() => {
      this.#connecting = null;
    });
    return this.#connecting;
  }

  async #connectNow({ token, requireLeader }: CallContext): Promise<SessionConnection> {
    try {
      const socket = await this.#open(this.#url);
      this.#connection = new SessionConnection(socket, token, requireLeader);
      if (this.#closed) this.#connection.close();
      return this.#connection;
    } catch (error) {
      throw error instanceof EtcdError ? error : connectionLost(false, error);
    }
  }
}

/** The one answer to a call. */
function answerOf(
  connection: SessionConnection,
  path: UnaryPath,
  request: Uint8Array,
  context: CallContext,
): Promise<Uint8Array> {
  const { signal } = context;
  if (signal === null) {
    return new Promise((resolve, reject) => {
      const answer = (response: Uint8Array | null) => settle(response, resolve, reject);
      connection.begin(path, request, context, { answer, fail: reject });
    });
  }
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const done = () => signal.removeEventListener('abort', abort);
    const id = connection.begin(path, request, context, {
      answer: (response) => {
        done();
        settle(response, resolve, reject);
      },
      fail: (error) => {
        done();
        reject(error);
      },
    });
    const abort = (): void => {
      connection.cancel(id);
      done();
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort);
  });
}

function settle(
  response: Uint8Array | null,
  resolve: (response: Uint8Array) => void,
  reject: (error: EtcdError) => void,
): void {
  if (response !== null) resolve(response);
  else reject(connectionLost(true, new Error('an answer without a response')));
}

/** What has come of a stream, until it is asked for. */
class AnswerQueue implements Answered {
  #answers: Uint8Array[] = [];
  #bytes = 0;
  #ended: { readonly reason: unknown } | null = null;
  #wake: (() => void) | null = null;

  answer(response: Uint8Array | null, more: boolean): void {
    if (this.#ended !== null) return;
    if (response !== null) {
      // A view would keep the whole frame.
      this.#answers.push(response.slice());
      this.#bytes += response.length;
    }
    const tooMany = this.#answers.length > UNREAD_ANSWERS_MAX || this.#bytes > UNREAD_BYTES_MAX;
    if (tooMany) this.#ended = { reason: connectionLost(true, new Error('it is read too slowly')) };
    else if (!more) this.#ended = { reason: null };
    this.#wake?.();
  }

  fail(error: EtcdError): void {
    this.end(asEtcdError(error));
  }

  end(reason: unknown): void {
    this.#ended ??= { reason };
    this.#wake?.();
  }

  /** Its reader has gone away. */
  discard(reason: unknown): void {
    this.#answers = [];
    this.#ended = { reason };
    this.#wake?.();
  }

  /** The next answer; null: there are no more. @throws what the stream ended with */
  async next(): Promise<Uint8Array | null> {
    for (;;) {
      const answer = this.#answers.shift();
      if (answer !== undefined) {
        this.#bytes -= answer.length;
        return answer;
      }
      if (this.#ended !== null) {
        if (this.#ended.reason === null) return null;
        throw this.#ended.reason;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }
}
