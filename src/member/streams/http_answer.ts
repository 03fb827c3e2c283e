import { limits } from '../../config.ts';
import { utf8 } from '../../lib/bytes.ts';
import { microtask } from '../../lib/microtask.ts';

/**
 * One answer over HTTP whose head and body may come at different times. Nothing is sent before
 * `begin` or `finish`, as in etcd: until then the status is open.
 *
 * The platform tells that a client is gone only when something is written to it, and never before
 * the head is out (locally; on Cloudflare the request's signal fires). `beat` takes care of both.
 */
export class HttpAnswer {
  readonly response: Promise<Response>;
  readonly #blank: string;
  readonly #headers: () => HeadersInit;
  #respond: (response: Response) => void = () => {};
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #over = false;
  #isGone = false;
  #onGone: () => void = () => {};
  #onOver: () => void = () => {};
  #waiting: (() => void)[] = [];
  #writtenBytes = 0;
  #takenBytes = 0;
  #idleSinceMs: number;
  #stalledSinceMs: number;

  /**
   * @param headers of an answer that begins before its end is known (status 200)
   * @param blank what `beat` writes: a client reads over it
   */
  constructor(headers: () => HeadersInit, blank: string, nowMs: number) {
    this.#headers = headers;
    this.#blank = blank;
    this.#idleSinceMs = nowMs;
    this.#stalledSinceMs = nowMs;
    this.response = new Promise((resolve) => {
      this.#respond = resolve;
    });
  }

  /** Calls back once when the client is gone or was cut off. */
  whenGone(callback: () => void): void {
    this.#onGone = callback;
    if (this.#isGone) callback();
  }

  /** Calls back once when nothing more will be written, whoever ended it. */
  whenOver(callback: () => void): void {
    this.#onOver = callback;
    if (this.#over) callback();
  }

  /** The head is out: the status cannot change any more. */
  get begun(): boolean {
    return this.#controller !== null;
  }

  /** Sends the head, before there is anything to say. */
  begin(): void {
    if (!this.#over) this.#begin();
  }

  get bufferedBytes(): number {
    if (this.#over) return 0;
    const room = this.#controller?.desiredSize ?? limits.streamHighWaterBytes;
    return Math.max(0, limits.streamHighWaterBytes - room);
  }

  write(text: string): void {
    if (this.#over) return;
    const bytes = utf8(text);
    this.#writtenBytes += bytes.length;
    // A chunk for each frame: there are clients that read chunk by chunk and not line by line.
    this.#begin().enqueue(bytes);
  }

  /** The whole answer at once, or its last part; then the status is the one that it has already. */
  finish(status: number, text: string, headers: HeadersInit): void {
    if (this.#over) return;
    const controller = this.#controller;
    if (controller === null) {
      this.#end();
      return this.#respond(new Response(text, { status, headers }));
    }
    if (text !== '') this.write(text);
    this.#end();
    controller.close();
  }

  /** Breaks the answer off, so that its client cannot take it for whole. */
  break(reason: string): void {
    if (this.#over) return;
    const controller = this.#begin();
    this.#end();
    controller.error(new Error(reason));
  }

  drained(callback: () => void): void {
    if (this.bufferedBytes >= limits.streamHighWaterBytes) this.#waiting.push(callback);
    else microtask(() => this.#over || callback());
  }

  /** Called every now and then: writes a blank where nothing was sent, ends who takes nothing. */
  beat(nowMs: number): void {
    if (this.#over) return;
    const buffered = this.bufferedBytes;
    const taken = this.#writtenBytes - buffered;
    if (buffered === 0 || taken !== this.#takenBytes) this.#stalledSinceMs = nowMs;
    if (nowMs - this.#stalledSinceMs >= limits.streamStallMs) return this.cutOff();
    const busy = this.begun && (buffered > 0 || taken !== this.#takenBytes);
    this.#takenBytes = taken;
    if (busy) this.#idleSinceMs = nowMs;
    if (nowMs - this.#idleSinceMs < limits.streamHeartbeatMs) return;
    this.#idleSinceMs = nowMs;
    this.write(this.#blank);
  }

  /** Ends the answer of a client that does not read. */
  cutOff(): void {
    if (this.#over) return;
    this.break('the client does not read');
    this.#tellGone();
  }

  /** The request's own signal says that the client is gone. */
  hungUp(): void {
    if (this.#over) return;
    this.#end();
    this.#waiting = [];
    this.#tellGone();
  }

  #end(): void {
    this.#over = true;
    this.#onOver();
  }

  #tellGone(): void {
    this.#isGone = true;
    this.#onGone();
  }

  #begin(): ReadableStreamDefaultController<Uint8Array> {
    if (this.#controller !== null) return this.#controller;
    let opened: ReadableStreamDefaultController<Uint8Array> | null = null;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          opened = controller;
        },
        pull: () => this.#pulled(),
        cancel: () => this.hungUp(),
      },
      { highWaterMark: limits.streamHighWaterBytes, size: (chunk) => chunk.byteLength },
    );
    this.#controller = opened as unknown as ReadableStreamDefaultController<Uint8Array>;
    this.#respond(new Response(body, { headers: this.#headers() }));
    return this.#controller;
  }

  /** The client has taken something, and few bytes are left. */
  #pulled(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback();
  }
}
