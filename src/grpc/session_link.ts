import { WebSocket } from 'ws';
import { type Answer, decodeServerFrame } from '../api/session-answer.ts';
import {
  methodNumber,
  SESSION_PATH,
  SESSION_RECEIVED_EVERY_BYTES,
  SESSION_VERSION,
  type SessionPath,
} from '../api/session-methods.ts';
import { Action, ClientFrameWriter } from '../api/session-request.ts';
import { bridgeLimits } from '../config/bridge.ts';
import { EMPTY_BYTES } from '../lib/bytes.ts';

/** On whose behalf the operations of a session are. */
export interface SessionIdentity {
  readonly token: string | null;
  readonly requireLeader: boolean;
}

/** Who waits for the answers to an operation. */
export interface Operation {
  answered(answer: Answer): void;
  /** The connection is lost. @param sent the operation has left, and may have been done */
  lost(sent: boolean): void;
}

/**
 * One WebSocket of a session (docs/PROTOCOL.md), on behalf of one client. Operations that are begun
 * in one turn of the event loop leave in one frame. It ends once, and is not opened again.
 */
export class SessionLink {
  readonly #socket: WebSocket;
  readonly #ended: (wasOpen: boolean) => void;
  readonly #welcomed: () => void;
  #state: 'connecting' | 'open' | 'over' = 'connecting';
  readonly #operations = new Map<number, Operation>();
  /** Of them those that have not left. */
  #unsent = new Set<number>();
  #nextId = 1;
  readonly #writer = new ClientFrameWriter();
  #flushing = false;
  #receivedBytes = 0;
  #toldBytes = 0;
  /** It is not told what was received: the server sends no more than a little. */
  #paused = false;
  #heardMs = Date.now();
  #asked = false;
  #idleSinceMs = Date.now();
  readonly #sweep: NodeJS.Timeout;

  /**
   * @param ended called when it takes no more operations, before those that wait are told
   * @param welcomed called once, when the member has let it in
   */
  constructor(
    url: string,
    identity: SessionIdentity,
    ended: (wasOpen: boolean) => void,
    welcomed: () => void = () => undefined,
  ) {
    this.#ended = ended;
    this.#welcomed = welcomed;
    this.#writer.hello({ version: SESSION_VERSION, ...identity });
    this.#socket = new WebSocket(url.replace(/^http/, 'ws') + SESSION_PATH, {
      handshakeTimeout: bridgeLimits.connectMs,
      maxPayload: bridgeLimits.messageBytesMax,
      perMessageDeflate: false,
      // Masks protect proxies from what scripts of web pages send: here is no such script.
      generateMask: (mask) => mask.fill(0),
    });
    this.#socket.on('open', () => {
      this.#state = 'open';
      this.#flush();
    });
    this.#socket.on('message', (data, isBinary) => this.#received(data as Buffer, isBinary));
    this.#socket.on('close', () => this.#lost());
    // It closes after that.
    this.#socket.on('error', () => undefined);
    this.#sweep = setInterval(() => this.#look(Date.now()), bridgeLimits.sweepMs);
    this.#sweep.unref();
  }

  /** Operations that are not answered. */
  get openCount(): number {
    return this.#operations.size;
  }

  /** @returns the id of the operation */
  begin(path: SessionPath, request: Uint8Array, timeoutMs: number, to: Operation): number {
    const id = this.#nextId++;
    this.#operations.set(id, to);
    this.#unsent.add(id);
    const method = methodNumber(path);
    this.#write({ id, method, request, timeoutMs: Math.ceil(timeoutMs), action: Action.send });
    return id;
  }

  /** The next request of a stream. */
  more(id: number, request: Uint8Array): void {
    this.#continue(id, request, Action.send);
  }

  finish(id: number): void {
    this.#continue(id, EMPTY_BYTES, Action.finish);
  }

  cancel(id: number): void {
    if (!this.#operations.has(id)) return;
    this.#continue(id, EMPTY_BYTES, Action.cancel);
    this.#forget(id);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#flushSoon();
  }

  close(): void {
    this.#lost();
  }

  #continue(id: number, request: Uint8Array, action: number): void {
    if (this.#operations.has(id)) this.#write({ id, method: 0, request, timeoutMs: 0, action });
  }

  #write(operation: Parameters<ClientFrameWriter['operation']>[0]): void {
    const isFull = this.#writer.length + operation.request.length > bridgeLimits.frameBytes;
    if (isFull && this.#writer.length > 0) this.#flush();
    this.#writer.operation(operation);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#flushing || this.#state !== 'open') return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#state !== 'open') return;
    if (this.#receivedBytes > this.#toldBytes && !this.#paused) {
      this.#toldBytes = this.#receivedBytes;
      this.#writer.received(this.#toldBytes);
    }
    if (this.#writer.length === 0) return;
    this.#unsent.clear();
    this.#socket.send(this.#writer.take());
  }

  #received(data: Buffer, isBinary: boolean): void {
    this.#heardMs = Date.now();
    this.#asked = false;
    if (!isBinary || this.#state === 'over') return;
    this.#receivedBytes += data.length;
    try {
      const { welcome, answers } = decodeServerFrame(data);
      if (welcome !== null) this.#welcomed();
      for (const answer of answers) this.#answered(answer);
    } catch {
      return this.#lost();
    }
    const untold = this.#receivedBytes - this.#toldBytes;
    if (untold >= SESSION_RECEIVED_EVERY_BYTES) this.#flushSoon();
  }

  #answered(answer: Answer): void {
    const operation = this.#operations.get(answer.id);
    // It was cancelled.
    if (operation === undefined) return;
    if (!answer.more) this.#forget(answer.id);
    operation.answered(answer);
  }

  #forget(id: number): void {
    this.#operations.delete(id);
    this.#unsent.delete(id);
    if (this.#operations.size === 0) this.#idleSinceMs = Date.now();
  }

  /** Nothing tells that a server is gone while nothing is sent. */
  #look(nowMs: number): void {
    if (this.#state !== 'open') return;
    if (this.#operations.size === 0) {
      this.#heardMs = nowMs;
      if (nowMs - this.#idleSinceMs > bridgeLimits.idleMs) this.#lost();
      return;
    }
    const silentMs = nowMs - this.#heardMs;
    if (silentMs > bridgeLimits.silenceMs) return this.#lost();
    if (silentMs < bridgeLimits.silenceMs / 2 || this.#asked) return;
    this.#asked = true;
    this.#socket.send('ping');
  }

  #lost(): void {
    if (this.#state === 'over') return;
    const wasOpen = this.#state === 'open';
    this.#state = 'over';
    clearInterval(this.#sweep);
    this.#ended(wasOpen);
    this.#socket.close();
    const operations = [...this.#operations];
    this.#operations.clear();
    for (const [id, operation] of operations) operation.lost(!this.#unsent.has(id));
  }
}
