import type { CallContext } from '../../api/call.ts';
import { EtcdError } from '../../api/error.ts';
import { type Method, methodOf, waits } from '../../api/methods.ts';
import { ServerFrameWriter } from '../../api/session-answer.ts';
import {
  methodPath,
  SESSION_FRAME_BYTES_MAX,
  SESSION_PATH,
  SESSION_VERSION,
} from '../../api/session-methods.ts';
import {
  Action,
  type ClientFrame,
  decodeClientFrame,
  type Hello,
  type Operation,
} from '../../api/session-request.ts';
import { MalformedFrame } from '../../api/session-wire.ts';
import { limits } from '../../config.ts';
import { must } from '../../lib/assert.ts';
import { microtask } from '../../lib/microtask.ts';
import type { Attachment, SocketClient, SocketService } from '../streams/client_socket.ts';
import type { LiveStream } from '../streams/live_stream.ts';
import { CloseCode, shortened } from '../streams/socket_outlet.ts';
import { SessionOutlet, type SessionPort } from './session_outlet.ts';
import type { Bounded, Sessions } from './sessions.ts';

/** What is open under an id. */
interface OpenOperation {
  /** Of a method that waits: fires when its client does not. */
  readonly hungUp: AbortController | null;
  stream: LiveStream | null;
  readonly path: string;
}

/** A stream that goes on after a hibernation. */
interface SavedStream {
  readonly id: number;
  readonly path: string;
  readonly context: CallContext;
  readonly saved: unknown;
}

interface SavedSession {
  readonly sentBytes: number;
  readonly takenBytes: number;
  readonly streams: readonly SavedStream[];
}

/**
 * A client's WebSocket that carries any number of operations: docs/PROTOCOL.md. All operations of a
 * frame begin in the event that brings it, and so go into one turn of the member; all answers that
 * become ready in one event leave in one frame.
 */
export class Session implements SocketClient, SessionPort, Bounded {
  readonly socket: WebSocket;
  /** On whose behalf operations are done that do not say otherwise. */
  #context: CallContext;
  readonly #changed: () => void;
  #sessions: Sessions | null = null;
  /** What came before the member ran. */
  #early: (string | ArrayBuffer)[] = [];
  #greeted = false;
  #over = false;
  readonly #operations = new Map<number, OpenOperation>();
  readonly #writer = new ServerFrameWriter();
  #flushing = false;
  #sentBytes = 0;
  #takenBytes = 0;
  /** Answers of streams that are on their way: who learns when they have been taken in. */
  #underway: {
    readonly endBytes: number;
    readonly outlet: SessionOutlet;
    readonly bytes: number;
  }[] = [];

  /** @param changed called when what {@link attachment} says has changed */
  constructor(socket: WebSocket, context: CallContext, changed: () => void) {
    this.socket = socket;
    this.#context = context;
    this.#changed = changed;
  }

  get unreadBytes(): number {
    return this.#sentBytes - this.#takenBytes;
  }

  attachment(): Attachment {
    const session = this.#greeted ? this.#save() : null;
    if (session === null) return this.provisional();
    return { path: SESSION_PATH, context: this.#context, phase: 'saved', session };
  }

  provisional(): Attachment {
    const phase = this.#greeted ? 'open' : 'fresh';
    return { path: SESSION_PATH, context: this.#context, phase, session: null };
  }

  start({ sessions }: SocketService, attached: Attachment | null): void {
    if (!sessions.add(this)) return this.#close(CloseCode.tryAgainLater, 'too many sessions');
    this.#sessions = sessions;
    // What was under way when the instance ended may have happened: its client has to know.
    if (attached?.phase === 'open') return this.stop();
    if (attached?.phase === 'saved') this.#resume(sessions, attached.session as SavedSession);
    const early = this.#early;
    this.#early = [];
    for (const data of early) this.receive(data);
  }

  receive(data: string | ArrayBuffer): void {
    if (this.#over) return;
    if (this.#sessions === null) return this.#putOff(data);
    if (typeof data === 'string') return this.#close(CloseCode.unsupported, 'frames are binary');
    if (data.byteLength > SESSION_FRAME_BYTES_MAX) {
      return this.#close(CloseCode.tooLarge, `a frame of ${data.byteLength} bytes is too large`);
    }
    let frame: ClientFrame;
    try {
      frame = decodeClientFrame(new Uint8Array(data));
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error;
      return this.#close(CloseCode.protocolError, error.message);
    }
    this.#perform(frame, this.#sessions);
    this.#changed();
  }

  /** The member stops, and the client may go elsewhere. */
  stop(): void {
    this.#close(CloseCode.serviceRestart, 'etcdserver: server stopped');
  }

  /** The client is gone, or its connection is. */
  closed(): void {
    if (this.#over) return;
    this.#over = true;
    this.#sessions?.delete(this);
    const operations = [...this.#operations.values()];
    this.#operations.clear();
    for (const { stream, hungUp } of operations) {
      stream?.gone();
      hungUp?.abort();
    }
  }

  answer(outlet: SessionOutlet, response: Uint8Array): void {
    if (this.#over) return;
    this.#writer.answer(outlet.id, response, true);
    const endBytes = this.#sentBytes + this.#writer.length;
    this.#underway.push({ endBytes, outlet, bytes: response.length });
    this.#flushSoon();
  }

  finish(outlet: SessionOutlet, error: EtcdError | null): void {
    if (this.#over || !this.#operations.delete(outlet.id)) return;
    if (error === null) this.#writer.end(outlet.id);
    else this.#writer.fail(outlet.id, error);
    this.#flushSoon();
  }

  cutOff(): void {
    this.#close(CloseCode.tryAgainLater, 'the client does not read');
  }

  #putOff(data: string | ArrayBuffer): void {
    if (this.#early.length < limits.socketQueueMessagesMax) this.#early.push(data);
    else this.#close(CloseCode.tryAgainLater, 'etcdserver: too many requests');
  }

  #perform({ hello, operations, receivedBytes }: ClientFrame, sessions: Sessions): void {
    if (receivedBytes !== null && !this.#took(receivedBytes, sessions)) return;
    if (hello !== null && !this.#greet(hello, sessions)) return;
    if (!this.#greeted) return this.#close(CloseCode.noHello, 'a session begins with a hello');
    for (const operation of operations) {
      if (this.#over) return;
      if (operation.method === 0) this.#continue(operation);
      else this.#begin(operation, sessions);
    }
  }

  #greet({ version, token, requireLeader }: Hello, sessions: Sessions): boolean {
    if (version !== SESSION_VERSION) {
      const reason = `version ${version} is not spoken here: ${SESSION_VERSION} is`;
      this.#close(CloseCode.unknownVersion, reason);
      return false;
    }
    this.#greeted = true;
    this.#context = { ...this.#context, token: token ?? this.#context.token, requireLeader };
    this.#writer.welcome({ version, ...sessions.identity() });
    this.#flushSoon();
    return true;
  }

  #begin(operation: Operation, sessions: Sessions): void {
    const { id, action } = operation;
    if (this.#operations.has(id)) {
      return this.#close(CloseCode.protocolError, `operation ${id} is open already`);
    }
    const method = methodOf(methodPath(operation.method) ?? '');
    if (method === undefined) return this.#refuse(id, EtcdError.of('unknownMethod'));
    if (action !== Action.send && action !== Action.finish) {
      return this.#refuse(id, EtcdError.of('unknownAction'));
    }
    const { timeoutMs } = operation;
    const context = timeoutMs === 0 ? this.#context : { ...this.#context, timeoutMs };
    if (this.#operations.size >= limits.sessionOperationsMax) {
      this.#refuse(id, EtcdError.of('tooManyOperations'));
    } else if (method.kind === 'unary') {
      this.#call(method, operation, context, sessions);
    } else {
      this.#open(method, operation, context, sessions);
    }
  }

  #call(method: Method, operation: Operation, context: CallContext, { calls }: Sessions): void {
    const { id, request } = operation;
    const hungUp = waits(method.path) ? new AbortController() : null;
    const open: OpenOperation = { hungUp, stream: null, path: method.path };
    this.#operations.set(id, open);
    calls.begin(method, request, context, hungUp?.signal ?? null, (response, error) => {
      // It was cancelled, or the connection is gone.
      if (this.#operations.get(id) !== open) return;
      this.#operations.delete(id);
      if (error !== null) this.#writer.fail(id, error);
      else this.#writer.answer(id, must(response, 'neither response nor error'), false);
      this.#flushSoon();
    });
  }

  #open(method: Method, operation: Operation, context: CallContext, { streams }: Sessions): void {
    const { id, action, request } = operation;
    const open: OpenOperation = { hungUp: null, stream: null, path: method.path };
    this.#operations.set(id, open);
    const outlet = new SessionOutlet(id, this);
    const stream = streams.open(method, context, outlet, this.#changed);
    open.stream = stream;
    stream.receiveBinary(request);
    if (action === Action.finish || method.kind === 'server_streaming') stream.halfClosed();
  }

  /** The next thing that a client says to a stream, or its word that it wants no more. */
  #continue({ id, action, request }: Operation): void {
    const open = this.#operations.get(id);
    // Its last answer may have crossed the client's request.
    if (open === undefined) {
      if (action === Action.send) this.#refuse(id, EtcdError.of('operationNotOpen'));
      return;
    }
    if (action === Action.cancel) {
      this.#operations.delete(id);
      open.stream?.gone();
      open.hungUp?.abort();
    } else if (action === Action.finish) {
      open.stream?.halfClosed();
    } else if (action === Action.send) {
      open.stream?.receiveBinary(request);
    } else {
      // The operation itself goes on: what is wrong is said of the connection.
      this.#close(CloseCode.protocolError, `action ${action} is not known`);
    }
  }

  #refuse(id: number, error: EtcdError): void {
    this.#writer.fail(id, error);
    this.#flushSoon();
  }

  /** @returns false when the client cannot have taken in so much */
  #took(receivedBytes: number, sessions: Sessions): boolean {
    if (receivedBytes < this.#takenBytes || receivedBytes > this.#sentBytes) {
      this.#close(CloseCode.protocolError, `${receivedBytes} bytes were not sent`);
      return false;
    }
    sessions.unread(this, this.#takenBytes - receivedBytes);
    this.#takenBytes = receivedBytes;
    for (;;) {
      const [first] = this.#underway;
      if (first === undefined || first.endBytes > receivedBytes) return true;
      this.#underway.shift();
      first.outlet.taken(first.bytes);
    }
  }

  /** At the end of the event: whatever becomes ready in it goes together. */
  #flushSoon(): void {
    if (this.#writer.length >= limits.sessionAnswerFrameBytes) return this.#flush();
    if (this.#flushing) return;
    this.#flushing = true;
    microtask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#over || this.#writer.length === 0) return;
    const frame = this.#writer.take();
    this.#sentBytes += frame.length;
    try {
      this.socket.send(frame);
    } catch {
      // It is closed; the event that says so is on its way.
    }
    this.#changed();
    this.#sessions?.unread(this, frame.length);
  }

  #close(code: number, reason: string): void {
    if (this.#over) return;
    this.#flush();
    this.closed();
    try {
      this.socket.close(code, shortened(reason));
    } catch {
      // Closed already.
    }
  }

  /** null: something is under way that another instance cannot go on with. */
  #save(): SavedSession | null {
    const streams: SavedStream[] = [];
    for (const [id, { stream, path }] of this.#operations) {
      const saved = stream?.save() ?? null;
      if (stream === null || saved === null) return null;
      streams.push({ id, path, context: stream.context, saved });
    }
    return { sentBytes: this.#sentBytes, takenBytes: this.#takenBytes, streams };
  }

  #resume(sessions: Sessions, { sentBytes, takenBytes, streams }: SavedSession): void {
    this.#greeted = true;
    this.#sentBytes = sentBytes;
    this.#takenBytes = takenBytes;
    sessions.unread(this, sentBytes - takenBytes);
    for (const { id, path, context, saved } of streams) {
      const method = must(methodOf(path), 'a stream that was saved has a method');
      const open: OpenOperation = { hungUp: null, stream: null, path };
      this.#operations.set(id, open);
      const outlet = new SessionOutlet(id, this);
      open.stream = sessions.streams.resume(method, context, outlet, saved, this.#changed);
    }
  }
}
