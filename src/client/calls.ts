import { Code } from '../api/error.ts';
import type { StreamMethods, UnaryMethods } from '../api/gen/messages.ts';
import { isRead } from '../api/reads.ts';
import { must } from '../lib/assert.ts';
import type { CallContext, Channel, Init, StreamPath, UnaryPath } from './channel.ts';
import { clientClosed, deadlineExceeded, EtcdError, isPassing, isTokenInvalid } from './error.ts';
import type { CallOptions } from './options.ts';
import { sleep } from './sleep.ts';
import type { Tokens } from './tokens.ts';

/** The first pause between two tries, and the longest: an election takes a second or two. */
const PAUSE_MS_MIN = 25;
const PAUSE_MS_MAX = 1_000;

/** A try that may be repeated is given up after so long, where there is another endpoint. */
const TRY_MS_MAX = 3_000;

/**
 * So long after a failure the leader is not looked for: what was known of who leads is what has
 * just failed, and any other member serves.
 */
const CONTENT_MS = 30_000;

/** What a call knows of itself. */
export interface UnaryOptions extends CallOptions {
  /** Done twice it is as done once: it may be repeated though its outcome is unknown. */
  readonly idempotent?: boolean;
}

/**
 * Every call of a client: at the endpoint that answered last, and again where that is safe. A write
 * whose outcome is unknown is never repeated unless it is as good done twice; a refusal that was
 * made before anything was done always is.
 */
export class Calls {
  readonly #channels: readonly Channel[];
  readonly #tokens: Tokens;
  readonly #timeoutMs: number;
  readonly #requireLeader: boolean;
  readonly #closed = new AbortController();
  /** The channel that is asked first. */
  #preferred = 0;
  /** How often another was preferred because it may lead: none of them need be the leader's. */
  #moves = 0;
  #contentUntilMs = 0;
  #seenRevision = 0;

  constructor(
    channels: readonly Channel[],
    tokens: Tokens,
    settings: { readonly timeoutMs: number; readonly requireLeader: boolean },
  ) {
    this.#channels = channels;
    this.#tokens = tokens;
    this.#timeoutMs = settings.timeoutMs;
    this.#requireLeader = settings.requireLeader;
  }

  /** The newest revision that any answer to this client has told of. */
  get seenRevision(): number {
    return this.#seenRevision;
  }

  /** Fires when the client is closed. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(clientClosed());
    for (const channel of this.#channels) channel.close();
  }

  /** @throws EtcdError, or the signal's reason */
  async unary<P extends UnaryPath>(
    path: P,
    request: Init<UnaryMethods[P]['request']>,
    options: UnaryOptions = {},
  ): Promise<UnaryMethods[P]['response']> {
    const { timeoutMs = this.#timeoutMs, idempotent = isRead(path) } = options;
    const deadlineMs = timeoutMs === 0 ? Infinity : Date.now() + timeoutMs;
    for (let tries = 1; ; tries++) {
      const channel = this.#channel();
      const context = this.#context(options, deadlineMs - Date.now(), idempotent);
      try {
        const own = await this.#authenticated(channel, context);
        const response = await channel.unary(path, request, own);
        this.#seenRevision = Math.max(this.#seenRevision, response.header?.revision ?? 0);
        return response;
      } catch (error) {
        await this.#beforeRetry(error, context, { tries, deadlineMs, idempotent, channel });
      }
    }
  }

  /**
   * A stream that one request opens, at one endpoint: it ends when that fails. Whoever reads it
   * knows where to go on.
   * @throws EtcdError, or the signal's reason
   */
  async *stream<P extends StreamPath>(
    path: P,
    request: Init<StreamMethods[P]['request']>,
    { signal }: CallOptions = {},
  ): AsyncGenerator<StreamMethods[P]['response'], void, void> {
    const channel = this.#channel();
    const context = { ...this.#context({ signal }, Infinity, false), timeoutMs: 0 };
    let { token } = context;
    try {
      const own = await this.#authenticated(channel, context);
      token = own.token;
      yield* channel.stream(path, request, own);
    } catch (error) {
      if (error instanceof EtcdError) {
        if (isTokenInvalid(error)) this.#tokens.forget(token);
        if (isPassing(error)) this.#leave(channel);
      }
      throw error;
    }
  }

  /** The longer it went on without success, the longer; never for all at the same time. */
  static pauseMs(tries: number): number {
    const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** Math.min(tries - 1, 10));
    return pauseMs * (0.5 + Math.random() / 2);
  }

  #channel(): Channel {
    if (this.#closed.signal.aborted) throw this.#closed.signal.reason;
    const channel = must(this.#channels[this.#preferred], 'a client has an endpoint');
    if (Date.now() < this.#contentUntilMs) return channel;
    if (channel.leads !== false || this.#moves + 1 >= this.#channels.length) return channel;
    this.#moves++;
    this.#leave(channel);
    return this.#channel();
  }

  /** The next endpoint is asked from now on, unless somebody has changed that already. */
  #leave(channel: Channel): void {
    if (this.#channels[this.#preferred] !== channel) return;
    this.#preferred = (this.#preferred + 1) % this.#channels.length;
  }

  #context({ signal }: CallOptions, leftMs: number, repeatable: boolean): CallContext {
    const mayGoElsewhere = repeatable && this.#channels.length > 1;
    const timeoutMs = mayGoElsewhere ? Math.min(leftMs, TRY_MS_MAX) : leftMs;
    return {
      token: null,
      timeoutMs: timeoutMs === Infinity ? 0 : Math.max(1, timeoutMs),
      requireLeader: this.#requireLeader,
      signal: signal ?? null,
    };
  }

  async #authenticated(channel: Channel, context: CallContext): Promise<CallContext> {
    const { current } = this.#tokens;
    const token = current === undefined ? await this.#tokens.ask(channel, context) : current;
    return token === null ? context : { ...context, token };
  }

  /** Returns when another try is safe and sensible. @throws what was thrown, otherwise */
  async #beforeRetry(
    error: unknown,
    { signal }: CallContext,
    call: { tries: number; deadlineMs: number; idempotent: boolean; channel: Channel },
  ): Promise<void> {
    if (!(error instanceof EtcdError)) throw error;
    const { tries, deadlineMs, idempotent, channel } = call;
    const isFresh = isTokenInvalid(error) && tries === 1;
    if (isFresh && this.#tokens.forget(this.#tokens.current ?? null)) return;
    // A try was cut short so that another endpoint could be asked.
    const isCut = error.code === Code.deadlineExceeded && this.#channels.length > 1;
    if (!isPassing(error) && !isCut) throw error;
    this.#leave(channel);
    this.#moves = 0;
    this.#contentUntilMs = Date.now() + CONTENT_MS;
    if (error.outcome === 'unknown' && !idempotent) throw error;
    const pauseMs = Calls.pauseMs(tries);
    if (Date.now() + pauseMs >= deadlineMs) throw isCut ? deadlineExceeded() : error;
    await sleep(pauseMs, signal, this.#closed.signal);
  }
}
