import { Code } from '../api/error.ts';
import { type Answer, decodeServerFrame, type Welcome } from '../api/session-answer.ts';
import {
  methodNumber,
  SESSION_FRAME_BYTES_MAX,
  SESSION_RECEIVED_EVERY_BYTES,
  SESSION_VERSION,
  type SessionPath,
} from '../api/session-methods.ts';
import { Action, ClientFrameWriter } from '../api/session-request.ts';
import { EMPTY_BYTES } from '../lib/bytes.ts';
import { microtask } from '../lib/microtask.ts';
import { type CallContext, GRACE_MS } from './channel.ts';
import { connectionLost, deadlineExceeded, type EtcdError, errorOf } from './error.ts';
import type { SocketLike } from './socket.ts';

/** How long a connection may take until the server has said welcome. */
const CONNECT_MS_MAX = 5_000;

/** How often an open operation's connection and deadline are looked at. */
const SWEEP_MS = 1_000;

/**
 * Silence after which the server is asked whether it is there, and after which it is not: while
 * calls are open, and while streams are that may have nothing to tell. Asking them more often would
 * keep some runtimes from putting the member to sleep.
 */
const CALLS = { askAfterMs: 5_000, lostAfterMs: 10_000 } as const;
const STREAMS = { askAfterMs: 20_000, lostAfterMs: 30_000 } as const;

/** A frame leaves when it is so large, complete or not. */
const FRAME_BYTES = 256 * 1024;

/** So many microtasks in which nothing was issued are taken for the end of a turn. */
const QUIET_MICROTASKS = 8;

/** Room for what surrounds one request in a frame. */
const ENVELOPE_BYTES = 1_024;

/** Who waits for the answers to an operation. */
export interface Answered {
  /** An answer; no other follows unless `more`. A stream may end without a response. */
  answer(response: Uint8Array | null, more: boolean): void;
  /** The last thing that is heard. */
  fail(error: EtcdError): void;
}

interface Pending {
  readonly to: Answered;
  /** It may have nothing to tell for ever. */
  readonly isStream: boolean;
  /** Infinite: it may take as long as it takes. */
  readonly deadlineMs: number;
  /** It has left, and may have been done. */
  sent: boolean;
}

/** One WebSocket of a session: docs/PROTOCOL.md. It ends once, and is not opened again. */
export class SessionConnection {
  readonly #socket: SocketLike;
  readonly #requireLeader: boolean;
  #state: 'connecting' | 'open' | 'over' = 'connecting';
  #welcome: Welcome | null = null;
  readonly #operations = new Map<number, Pending>();
  #nextId = 1;
  readonly #writer = new ClientFrameWriter();
  /** What is in the writer. */
  #packed: Pending[] = [];
  #flushing = false;
  /** On whose behalf the server takes operations to be. */
  #token: string | null;
  #receivedBytes = 0;
  #toldBytes = 0;
  #heardMs = Date.now();
  readonly #openedMs = Date.now();
  #asked = false;
  #sweep: ReturnType<typeof setInterval> | undefined;

  constructor(socket: SocketLike, token: string | null, requireLeader: boolean) {
    this.#socket = socket;
    this.#token = token;
    this.#requireLeader = requireLeader;
    this.#hello();
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => this.#opened());
    socket.addEventListener('message', ({ data }) => this.#received(data));
    socket.addEventListener('error', ({ message }) => this.#lost(message));
    socket.addEventListener('close', ({ code, reason }) => this.#lost(`${code} ${reason ?? ''}`));
    if (socket.readyState === 1) this.#opened();
  }

  /** It takes no more operations. */
  get over(): boolean {
    return this.#state === 'over';
  }

  /** Who answers; null: nobody has yet. */
  get welcome(): Welcome | null {
    return this.#welcome;
  }

  /** @returns the id by which it can be cancelled. @throws EtcdError when it cannot be sent */
  begin(
    path: SessionPath,
    request: Uint8Array,
    context: CallContext,
    to: Answered,
    isStream = false,
  ): number {
    const { token, timeoutMs } = context;
    if (request.length + ENVELOPE_BYTES > SESSION_FRAME_BYTES_MAX) {
      throw errorOf(Code.invalidArgument, `a request of ${request.length} bytes is too large`);
    }
    if (token !== this.#token) {
      this.#token = token;
      this.#flush();
      this.#hello();
    }
    if (this.#writer.length + request.length > FRAME_BYTES) this.#flush();
    const id = this.#nextId++;
    const deadlineMs = timeoutMs === 0 ? Infinity : Date.now() + timeoutMs + GRACE_MS;
    const pending: Pending = { to, deadlineMs, isStream, sent: false };
    this.#operations.set(id, pending);
    this.#packed.push(pending);
    const method = methodNumber(path);
    // No request follows the first: of a method that takes one, that changes nothing.
    const action = Action.finish;
    this.#writer.operation({ id, method, request, timeoutMs: Math.ceil(timeoutMs), action });
    this.#flushSoon();
    if (this.#sweep === undefined) {
      this.#heardMs = Date.now();
      this.#sweep = setInterval(() => this.#look(Date.now()), SWEEP_MS);
    }
    return id;
  }

  /** Nobody waits for its answers any more. */
  cancel(id: number): void {
    if (!this.#operations.has(id)) return;
    this.#forget(id);
    const operation = { id, method: 0, request: EMPTY_BYTES, timeoutMs: 0, action: Action.cancel };
    this.#writer.operation(operation);
    this.#flushSoon();
  }

  close(): void {
    this.#lost('the client is closed');
  }

  #hello(): void {
    const requireLeader = this.#requireLeader;
    this.#writer.hello({ version: SESSION_VERSION, token: this.#token, requireLeader });
  }

  #opened(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'open';
    // The call for which a socket was opened that is open from the first is about to be issued.
    this.#flushSoon();
  }

  /** After everything that is issued in this turn of the event loop, as far as that can be told. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    let seen = this.#writer.length;
    let quiet = 0;
    const look = (): void => {
      // Answers to many resume many callers, each of them some microtasks later.
      quiet = this.#writer.length === seen ? quiet + 1 : 0;
      seen = this.#writer.length;
      if (quiet < QUIET_MICROTASKS) return microtask(look);
      this.#flushing = false;
      this.#flush();
    };
    microtask(look);
  }

  #flush(): void {
    if (this.#state !== 'open') return;
    if (this.#receivedBytes > this.#toldBytes) {
      this.#toldBytes = this.#receivedBytes;
      this.#writer.received(this.#toldBytes);
    }
    if (this.#writer.length === 0) return;
    for (const pending of this.#packed) pending.sent = true;
    this.#packed = [];
    this.#socket.send(this.#writer.take());
  }

  #received(data: unknown): void {
    if (this.#state !== 'open') return;
    this.#heardMs = Date.now();
    this.#asked = false;
    if (!(data instanceof ArrayBuffer)) return;
    const { length } = new Uint8Array(data);
    this.#receivedBytes += length;
    try {
      const { welcome, answers } = decodeServerFrame(new Uint8Array(data));
      this.#welcome = welcome ?? this.#welcome;
      for (const answer of answers) this.#answered(answer);
    } catch (error) {
      this.#lost(error instanceof Error ? error.message : String(error));
    }
    if (this.#receivedBytes - this.#toldBytes >= SESSION_RECEIVED_EVERY_BYTES) this.#flushSoon();
  }

  #answered({ id, response, more, failure }: Answer): void {
    const pending = this.#operations.get(id);
    // It was cancelled.
    if (pending === undefined) return;
    if (!more) this.#forget(id);
    if (failure !== null) pending.to.fail(errorOf(failure.code, failure.message));
    else pending.to.answer(response, more);
  }

  #forget(id: number): void {
    this.#operations.delete(id);
    if (this.#operations.size > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  #look(nowMs: number): void {
    const isLate = this.#welcome === null && nowMs - this.#openedMs > CONNECT_MS_MAX;
    if (isLate) return this.#lost('no welcome');
    const silentMs = nowMs - this.#heardMs;
    const hasCalls = [...this.#operations.values()].some(({ isStream }) => !isStream);
    const { askAfterMs, lostAfterMs } = hasCalls ? CALLS : STREAMS;
    // Whoever was not asked could not answer.
    if (silentMs > lostAfterMs && this.#asked) return this.#lost('the server fell silent');
    if (silentMs > askAfterMs && !this.#asked && this.#state === 'open') {
      this.#asked = true;
      this.#socket.send('ping');
    }
    for (const [id, { deadlineMs, to }] of this.#operations) {
      if (deadlineMs > nowMs) continue;
      this.cancel(id);
      to.fail(deadlineExceeded());
    }
  }

  #lost(why: string | undefined): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    clearInterval(this.#sweep);
    const cause = new Error(why ?? 'closed');
    const operations = [...this.#operations.values()];
    this.#operations.clear();
    try {
      this.#socket.close(1000, '');
    } catch {
      // It is closed already.
    }
    for (const { to, sent } of operations) to.fail(connectionLost(sent, cause));
  }
}
