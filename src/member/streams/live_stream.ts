import { decodeBinary } from '../../api/binary.ts';
import type { CallContext } from '../../api/call.ts';
import { Code, EtcdError } from '../../api/error.ts';
import { decodeJson, decodeJsonNext } from '../../api/json.ts';
import type { Method } from '../../api/methods.ts';
import { limits } from '../../config.ts';
import type { StreamRoute, StreamSession, StreamSink } from '../services/service.ts';
import type { Outlet } from './outlet.ts';

/** setTimeout takes a longer time for none at all. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Who keeps the streams of a member. */
export interface StreamOwner {
  /** The stream has begun: it counts from now on. */
  opened(stream: LiveStream): void;
  /** It is over. */
  closed(stream: LiveStream, code: Code): void;
  /** A frame was sent, a request received: what its session would save is another thing now. */
  changed(stream: LiveStream): void;
  /** More is buffered than before. Whether that is too much is for the owner to say. */
  buffered(stream: LiveStream): void;
  /** Characters came from the client, or went there. */
  received(chars: number): void;
  sent(chars: number): void;
  /** A defect, as the error that its client is told. */
  unexpected(path: string, error: unknown): EtcdError;
}

/**
 * One open stream: a service's session at one end, a transport's outlet at the other. It decodes
 * requests and encodes answers, keeps deadlines, and sees to it that whatever happens the session
 * is closed exactly once.
 */
export class LiveStream implements StreamSink {
  readonly method: Method;
  context: CallContext;
  readonly outlet: Outlet;
  /** When it was opened, by the member's clock: for metrics. */
  startMs = 0;
  readonly #owner: StreamOwner;
  #session: StreamSession | null = null;
  #deadline: ReturnType<typeof setTimeout> | null = null;
  /** Requests that the session has received. */
  #requests = 0;
  /** What the client sent before it was known who it is; null: that is known. */
  #early: (() => void)[] | null = null;
  #over = false;

  constructor(method: Method, context: CallContext, outlet: Outlet, owner: StreamOwner) {
    this.method = method;
    this.context = context;
    this.outlet = outlet;
    this.#owner = owner;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Begins when it is known who calls; until then what the client sends is put off. */
  admitLater(admitted: Promise<CallContext>, begin: () => void): void {
    const early: (() => void)[] = [];
    this.#early = early;
    const admit = (context: CallContext) => {
      this.#early = null;
      if (this.#over) return;
      this.context = context;
      begin();
      for (const act of early) act();
    };
    admitted.then(admit, (error: unknown) => this.#failed(error));
  }

  open(route: StreamRoute): void {
    this.#begin(() => route.open(this as StreamSink<never>, this.context));
  }

  /** Goes on where a session of an earlier instance was saved. */
  resume(route: StreamRoute, saved: unknown): void {
    const { resume } = route;
    if (!resume) return this.end(EtcdError.of('stopped'));
    this.#begin(() => resume(saved, this as StreamSink<never>, this.context));
  }

  /** The requests in a text, one after the other. The text ends where a request ends. */
  receive(text: string): void {
    if (this.#early !== null) return this.#putOff(() => this.receive(text));
    this.#owner.received(text.length);
    if (this.method.kind === 'server_streaming') return this.#receiveOnly(text);
    let offset = 0;
    for (let count = 0; !this.#over; count++) {
      if (count === limits.streamRequestsMax) return this.end(tooManyRequests());
      const next = this.#decode(() => decodeJsonNext(this.method.input, text, offset));
      if (next === null) return;
      offset = next.end;
      this.#receive(next.message);
    }
  }

  /** The next request, in protobuf's encoding. */
  receiveBinary(bytes: Uint8Array): void {
    if (this.#early !== null) return this.#putOff(() => this.receiveBinary(bytes));
    if (this.#over) return;
    this.#owner.received(bytes.length);
    const request = this.#decode(() => decodeBinary(this.method.input, bytes));
    if (request !== null) this.#receive(request);
  }

  halfClosed(): void {
    if (this.#early !== null) return this.#putOff(() => this.halfClosed());
    if (!this.#over) this.#guarded(() => this.#session?.halfClosed());
  }

  /** The client is gone. */
  gone(): void {
    this.#finish(Code.canceled);
  }

  /** What an instance after this one needs to resume the session; null: it cannot be resumed. */
  save(): unknown {
    return this.#over ? null : (this.#session?.save?.() ?? null);
  }

  send(message: never): void {
    if (this.#over) return;
    this.#owner.sent(this.outlet.send(this.method.output, message));
    this.#owner.changed(this);
    if (this.bufferedBytes > limits.streamHighWaterBytes) this.#owner.buffered(this);
  }

  end(error?: EtcdError): void {
    if (this.#over) return;
    this.outlet.end(error ?? null);
    this.#finish(error?.code ?? Code.ok);
  }

  get bufferedBytes(): number {
    return this.outlet.bufferedBytes;
  }

  drained(callback: () => void): void {
    this.outlet.drained(() => {
      if (!this.#over) this.#guarded(callback);
    });
  }

  changed(): void {
    if (!this.#over) this.#owner.changed(this);
  }

  #putOff(act: () => void): void {
    if (this.#over) return;
    if ((this.#early?.length ?? 0) >= limits.socketQueueMessagesMax) {
      return this.end(tooManyRequests());
    }
    this.#early?.push(act);
  }

  #begin(open: () => StreamSession<never>): void {
    this.#owner.opened(this);
    const { timeoutMs } = this.context;
    if (timeoutMs !== null && timeoutMs < TIMER_MS_MAX) {
      if (timeoutMs <= 0) return this.end(EtcdError.of('deadlineExceeded'));
      this.#deadline = setTimeout(() => this.end(EtcdError.of('deadlineExceeded')), timeoutMs);
    }
    this.#guarded(() => {
      const session = open();
      this.#session = session as StreamSession;
      // It has ended the stream before there was a session to close.
      if (this.#over) session.closed();
    });
  }

  /** The one request of a method that takes no more; none at all is an empty message. */
  #receiveOnly(text: string): void {
    const request = this.#decode(() => decodeJson(this.method.input, text));
    if (request !== null) this.#receive(request);
  }

  #receive(request: unknown): void {
    this.#requests++;
    this.#owner.changed(this);
    this.#guarded(() => this.#session?.receive(request as never));
  }

  /** null when there is nothing to decode, or when that failed and the stream is over. */
  #decode<T>(decode: () => T | null): T | null {
    try {
      return decode();
    } catch (error) {
      const known = error instanceof EtcdError;
      this.#refuse(known ? error : this.#owner.unexpected(this.method.path, error));
      return null;
    }
  }

  /**
   * A request that cannot be read. With a stream of requests etcd's gateway finds out too late for
   * its own code, and tells it as unknown; after the first request it says nothing at all, which
   * helps nobody.
   */
  #refuse(error: EtcdError): void {
    const isStream = this.method.kind === 'bidi_streaming';
    const told = isStream ? new EtcdError(Code.unknown, error.message) : error;
    if (this.#requests === 0) this.outlet.malformed(told);
    else this.outlet.end(told);
    this.#finish(told.code);
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const known = error instanceof EtcdError;
    this.end(known ? error : this.#owner.unexpected(this.method.path, error));
  }

  #finish(code: Code): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    this.#deadline = null;
    this.#owner.closed(this, code);
    this.#guarded(() => this.#session?.closed());
  }
}

function tooManyRequests(): EtcdError {
  return new EtcdError(Code.invalidArgument, 'etcdserver: too many requests in one message');
}
