import type { DescMessage, DescMethod, MessageShape } from '@bufbuild/protobuf';
import { toBinary } from '@bufbuild/protobuf';
import type { EtcdError } from '../../../src/api/error.ts';
import { must } from '../../../src/lib/assert.ts';
import type { StreamSession, StreamSink } from '../../../src/member/services/service.ts';
import type { Instance } from '../instance.ts';
import { exponential } from '../random.ts';
import type { World } from '../world.ts';

/** What a client is told of its stream. */
export interface StreamEvents<O extends DescMessage> {
  frame(message: MessageShape<O>): void;
  ended(error: EtcdError | null): void;
}

/**
 * A stream as its client has it: frames arrive in order, at the speed of a reader, until one side
 * ends it or the member is gone. What the reader has not taken by then is lost.
 */
export class StreamClient<I extends DescMessage, O extends DescMessage> implements StreamSink<O> {
  readonly instance: Instance;
  readonly #world: World;
  readonly #method: DescMethod & { readonly input: I; readonly output: O };
  readonly #events: StreamEvents<O>;
  /** Milliseconds for each frame; 0: as soon as it comes. */
  readonly #readMs: number;
  #session: StreamSession<I> | null = null;
  /** Requests that came before the session could be resumed. */
  readonly #early: MessageShape<I>[] = [];
  #queue: { readonly message: MessageShape<O>; readonly bytes: number }[] = [];
  #bufferedBytes = 0;
  #reading = false;
  #drained: (() => void) | null = null;
  #over = false;

  constructor(
    world: World,
    instance: Instance,
    method: DescMethod & { readonly input: I; readonly output: O },
    events: StreamEvents<O>,
    readMs: number,
  ) {
    this.#world = world;
    this.instance = instance;
    this.#method = method;
    this.#events = events;
    this.#readMs = readMs;
  }

  /** Ended, or its instance is not the member's any more: the platform closes what it had. */
  get over(): boolean {
    return this.#over || this.instance.state !== 'running';
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** @param saved what {@link hibernate} has returned, to go on with that */
  open(saved: unknown = null): void {
    const open = () => {
      const { streamRoutes } = this.instance.runtime;
      const name = `${this.#method.parent.typeName}/${this.#method.name}`;
      const route = must(streamRoutes.get(name), `${name} is not served`);
      const context = { token: null, timeoutMs: null, requireLeader: false };
      const resume = saved === null ? null : must(route.resume, `${name} cannot be resumed`);
      const session = resume ? resume(saved, this, context) : route.open(this, context);
      this.#session = session as StreamSession<I>;
      for (const request of this.#early.splice(0)) this.#session.receive(request);
    };
    this.instance.request('opens a stream', null, open, () => this.end());
  }

  request(request: MessageShape<I>): void {
    const receive = () => {
      if (this.#over) return;
      if (this.#session === null) this.#early.push(request);
      else this.#session.receive(request);
    };
    this.instance.request('hears on a stream', null, receive, () => this.end());
  }

  /** The client goes away. */
  close(): void {
    this.#finish();
    const closed = () => this.#session?.closed();
    this.instance.step('loses a stream', null, closed);
  }

  /** What an instance would keep of the stream; null when it cannot. */
  hibernate(): unknown {
    if (this.over || this.#queue.length > 0) return null;
    return this.#session?.save?.() ?? null;
  }

  send(message: MessageShape<O>): void {
    if (this.#over) return;
    if (this.#readMs === 0) return this.#events.frame(message);
    const bytes = toBinary(this.#method.output, message).length;
    this.#queue.push({ message, bytes });
    this.#bufferedBytes += bytes;
    if (!this.#reading) this.#readLater();
  }

  end(error: EtcdError | null = null): void {
    if (this.#over) return;
    this.#finish();
    this.#events.ended(error);
    this.instance.step('loses a stream', null, () => this.#session?.closed());
  }

  drained(callback: () => void): void {
    this.#drained = callback;
    if (this.#queue.length === 0) this.#tellDrained();
  }

  changed(): void {}

  #finish(): void {
    this.#over = true;
    this.#queue = [];
    this.#bufferedBytes = 0;
  }

  #readLater(): void {
    this.#reading = true;
    const readMs = this.#world.faulty ? this.#readMs : 1;
    this.#world.after(exponential(this.#world.prng, readMs), () => {
      this.#reading = false;
      const next = this.#queue.shift();
      if (this.over || next === undefined) return;
      this.#bufferedBytes -= next.bytes;
      this.#world.coverage.add('watchEventsOfSlowReaders');
      this.#events.frame(next.message);
      if (this.#queue.length > 0) this.#readLater();
      else this.#tellDrained();
    });
  }

  /** In an event of its own. */
  #tellDrained(): void {
    this.#world.after(0, () => {
      const drained = this.#drained;
      this.#drained = null;
      if (drained === null || this.over) return;
      this.instance.step('is drained', null, drained);
    });
  }
}
