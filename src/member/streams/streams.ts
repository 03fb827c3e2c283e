import type { CallContext } from '../../api/call.ts';
import { Code, EtcdError } from '../../api/error.ts';
import type { Method } from '../../api/methods.ts';
import { limits } from '../../config.ts';
import type { StreamRoute } from '../services/service.ts';
import { LiveStream, type StreamOwner } from './live_stream.ts';
import type { Outlet } from './outlet.ts';

/** What the streams of a member need of it. */
export interface StreamsHost {
  nowMs(): number;
  /** The served method of that gateway path; null: none. */
  routeOf(path: string): StreamRoute | null;
  readonly electionTimeoutMs: number;
  readonly leaderKnown: boolean;
  /** Lets a call in, with what its token stands for. @throws EtcdError, or rejects with it */
  admit(method: Method, context: CallContext): CallContext | Promise<CallContext>;
  /** Of these at once. */
  readonly streamsMax: number;
  /** @returns when, for `handled` */
  started(path: string): number;
  handled(path: string, code: Code, startMs: number): void;
  received(chars: number): void;
  sent(chars: number): void;
  unexpected(path: string, error: unknown): EtcdError;
}

/** Somebody who wants to be called every now and then. */
export interface Beating {
  beat(nowMs: number): void;
}

/**
 * All open streams of a running member: it bounds their number and what they buffer, ends those
 * that require a leader when there is none, and looks after idle ones.
 */
export class Streams implements StreamOwner {
  readonly #host: StreamsHost;
  readonly #open = new Set<LiveStream>();
  readonly #beating = new Set<Beating>();
  readonly #onChange = new Map<LiveStream, () => void>();
  #sweeping: ReturnType<typeof setTimeout> | null = null;
  #leaderless: ReturnType<typeof setTimeout> | null = null;

  constructor(host: StreamsHost) {
    this.#host = host;
    this.leaderChanged();
  }

  get count(): number {
    return this.#open.size;
  }

  /** Opens a stream of that method. What is wrong with it is told through the outlet. */
  open(method: Method, context: CallContext, outlet: Outlet, onChange?: () => void): LiveStream {
    return this.#start(method, context, outlet, onChange, (stream, route) => {
      if (context.requireLeader && !this.#host.leaderKnown) stream.end(EtcdError.of('noLeader'));
      else stream.open(route);
    });
  }

  /** Goes on with a stream that an earlier instance of the member had saved. */
  resume(
    method: Method,
    context: CallContext,
    outlet: Outlet,
    saved: unknown,
    onChange?: () => void,
  ): LiveStream {
    return this.#start(method, context, outlet, onChange, (stream, route) =>
      stream.resume(route, saved),
    );
  }

  /** Calls it every {@link limits.streamSweepMs} until it is taken off again. */
  watchOver(beating: Beating): void {
    this.#beating.add(beating);
    this.#sweepLater();
  }

  forget(beating: Beating): void {
    this.#beating.delete(beating);
  }

  /** A leader was found or lost. */
  leaderChanged(): void {
    if (this.#host.leaderKnown) {
      if (this.#leaderless !== null) clearTimeout(this.#leaderless);
      this.#leaderless = null;
      return;
    }
    const ms = limits.streamLeaderLossElections * this.#host.electionTimeoutMs;
    this.#leaderless ??= setTimeout(() => {
      this.#leaderless = null;
      for (const stream of [...this.#open]) {
        if (stream.context.requireLeader) stream.end(EtcdError.of('noLeader'));
      }
    }, ms);
  }

  /** The member stops: everything is given back, and clients go elsewhere. */
  stop(): void {
    for (const stream of [...this.#open]) stream.end(EtcdError.of('stopped'));
    if (this.#leaderless !== null) clearTimeout(this.#leaderless);
    if (this.#sweeping !== null) clearTimeout(this.#sweeping);
    this.#leaderless = null;
    this.#sweeping = null;
  }

  opened(stream: LiveStream): void {
    this.#open.add(stream);
    if (stream.outlet.beat) this.watchOver(stream.outlet as Beating);
  }

  closed(stream: LiveStream, code: Code): void {
    this.#host.handled(stream.method.path, code, stream.startMs);
    this.#open.delete(stream);
    this.#onChange.delete(stream);
    this.forget(stream.outlet as Beating);
  }

  changed(stream: LiveStream): void {
    this.#onChange.get(stream)?.();
  }

  /** Cuts off who is too far behind: the stream itself, or the one that is furthest. */
  buffered(stream: LiveStream): void {
    if (stream.bufferedBytes > limits.streamBufferBytesMax) return stream.outlet.cutOff();
    // While nobody has more than a fair share, all together have not too much.
    if (stream.bufferedBytes * this.#open.size <= limits.streamsBufferBytesMax) return;
    let total = 0;
    let furthest = stream;
    for (const each of this.#open) {
      total += each.bufferedBytes;
      if (each.bufferedBytes > furthest.bufferedBytes) furthest = each;
    }
    if (total > limits.streamsBufferBytesMax) furthest.outlet.cutOff();
  }

  received(chars: number): void {
    this.#host.received(chars);
  }

  sent(chars: number): void {
    this.#host.sent(chars);
  }

  unexpected(path: string, error: unknown): EtcdError {
    return this.#host.unexpected(path, error);
  }

  #start(
    method: Method,
    context: CallContext,
    outlet: Outlet,
    onChange: (() => void) | undefined,
    begin: (stream: LiveStream, route: StreamRoute) => void,
  ): LiveStream {
    const stream = new LiveStream(method, context, outlet, this);
    stream.startMs = this.#host.started(method.path);
    if (onChange) this.#onChange.set(stream, onChange);
    const route = this.#host.routeOf(method.path);
    if (route === null) {
      stream.end(new EtcdError(Code.unimplemented, `${method.path} is not served yet`));
    } else if (this.#open.size >= this.#host.streamsMax) {
      stream.end(EtcdError.of('tooManyRequests'));
    } else {
      this.#admit(stream, () => begin(stream, route));
    }
    return stream;
  }

  #admit(stream: LiveStream, begin: () => void): void {
    try {
      const admitted = this.#host.admit(stream.method, stream.context);
      if (admitted instanceof Promise) return stream.admitLater(admitted, begin);
      stream.context = admitted;
    } catch (error) {
      const known = error instanceof EtcdError;
      return stream.end(known ? error : this.unexpected(stream.method.path, error));
    }
    begin();
  }

  #sweepLater(): void {
    this.#sweeping ??= setTimeout(() => {
      this.#sweeping = null;
      const nowMs = this.#host.nowMs();
      for (const each of [...this.#beating]) each.beat(nowMs);
      if (this.#beating.size > 0) this.#sweepLater();
    }, limits.streamSweepMs);
  }
}
