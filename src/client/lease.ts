import { ERRORS } from '../api/error.ts';
import { Calls } from './calls.ts';
import { EtcdError, EtcdLeaseInvalidError, isPassing, isTokenInvalid } from './error.ts';
import type { Bytes, KeySpace } from './key_space.ts';
import type { CallOptions } from './options.ts';
import { PutBuilder } from './put.ts';
import { sleep } from './sleep.ts';

/** Renewals in the time that a lease lives: two may fail. */
const RENEWALS_PER_TTL = 3;

/**
 * A lease that keeps itself alive: granted when it is first needed, and renewed until it is revoked
 * or released. Keys that are put with it end with it.
 */
export class Lease {
  /** Fires when the lease is over, or must be taken to be: its reason says why. */
  readonly signal: AbortSignal;
  readonly #calls: Calls;
  readonly #space: KeySpace;
  readonly #over = new AbortController();
  /** Fires when it is not renewed any more. */
  readonly #released = new AbortController();
  #ttlSeconds: number;
  #granted: Promise<bigint> | null = null;
  /** Until then it lives for certain, by this client's clock. */
  #livesUntilMs = 0;

  constructor(calls: Calls, space: KeySpace, ttlSeconds: number) {
    this.#calls = calls;
    this.#space = space;
    this.#ttlSeconds = ttlSeconds;
    this.signal = this.#over.signal;
  }

  /** Seconds that it lives without being renewed: as asked for, or as granted. */
  get ttlSeconds(): number {
    return this.#ttlSeconds;
  }

  /** Its id. Grants it, the first time. @throws EtcdError */
  grant(): Promise<bigint> {
    this.#granted ??= this.#grant();
    return this.#granted;
  }

  /** Writes a key that ends with the lease. */
  put(key: Bytes): PutBuilder {
    return new PutBuilder(this.#calls, this.#space, key, () => this.grant());
  }

  /** Renews it now. @returns the seconds that it lives from now on. @throws EtcdError */
  async keepaliveOnce(options: CallOptions = {}): Promise<number> {
    const ID = await this.grant();
    const askedMs = Date.now();
    for await (const { TTL } of this.#calls.stream('/v3/lease/keepalive', { ID }, options)) {
      if (TTL <= 0) throw this.#end(new EtcdLeaseInvalidError());
      this.#livesUntilMs = askedMs + TTL * 1_000;
      return TTL;
    }
    throw new EtcdLeaseInvalidError('the server has not answered');
  }

  /** Renews it no more: it ends by itself. */
  release(): void {
    this.#released.abort(RELEASED);
  }

  /** Ends it, and its keys with it. Ending twice is no error. @throws EtcdError */
  async revoke(options: CallOptions = {}): Promise<void> {
    this.release();
    if (this.#granted === null || this.signal.aborted) return;
    const ID = await this.#granted;
    try {
      await this.#calls.unary('/v3/lease/revoke', { ID }, { ...options, idempotent: true });
    } catch (error) {
      // It had ended, or the first of several tries has ended it.
      if (!(error instanceof EtcdLeaseInvalidError)) throw error;
    }
    this.#end(new EtcdLeaseInvalidError('the lease was revoked'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.revoke();
  }

  async #grant(): Promise<bigint> {
    // Chosen here, so that a grant whose outcome is unknown can be asked for again.
    const ID = randomId();
    const askedMs = Date.now();
    const request = { ID, TTL: this.#ttlSeconds };
    try {
      const { TTL } = await this.#calls.unary('/v3/lease/grant', request, { idempotent: true });
      this.#ttlSeconds = TTL;
    } catch (error) {
      const isOurs = error instanceof EtcdError && error.message === ERRORS.leaseExists[1];
      if (!isOurs) {
        this.#granted = null;
        throw error;
      }
    }
    this.#livesUntilMs = askedMs + this.#ttlSeconds * 1_000;
    void this.#keepAlive();
    return ID;
  }

  async #keepAlive(): Promise<void> {
    const released = this.#released.signal;
    for (let tries = 1; !released.aborted && !this.signal.aborted; ) {
      const periodMs = (this.#ttlSeconds * 1_000) / RENEWALS_PER_TTL;
      const pauseMs = tries === 1 ? periodMs : Math.min(periodMs, Calls.pauseMs(tries));
      const leftMs = this.#livesUntilMs - Date.now();
      try {
        await sleep(Math.max(0, Math.min(pauseMs, leftMs)), released, this.#calls.closed);
        if (Date.now() >= this.#livesUntilMs) {
          this.#end(new EtcdLeaseInvalidError('the lease could not be renewed in time'));
          return;
        }
        await this.#renew(released);
        tries = 1;
      } catch (error) {
        if (released.aborted) return;
        const mayPass = error instanceof EtcdError && (isPassing(error) || isTokenInvalid(error));
        if (!mayPass && error !== LATE) {
          this.#end(error);
          return;
        }
        tries++;
      }
    }
  }

  /** One try, which ends when the lease does. */
  async #renew(released: AbortSignal): Promise<void> {
    const late = new AbortController();
    const periodMs = (this.#ttlSeconds * 1_000) / RENEWALS_PER_TTL;
    const timer = setTimeout(() => late.abort(LATE), periodMs);
    const abort = () => late.abort(released.reason);
    released.addEventListener('abort', abort);
    try {
      await this.keepaliveOnce({ signal: late.signal });
    } finally {
      clearTimeout(timer);
      released.removeEventListener('abort', abort);
    }
  }

  #end(reason: unknown): unknown {
    this.release();
    if (!this.signal.aborted) this.#over.abort(reason);
    return reason;
  }
}

/** Why renewing has stopped, and why one renewal has. */
const RELEASED = Symbol('released');
const LATE = Symbol('late');

/** Of 63 bits and never zero: two are never the same. */
function randomId(): bigint {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (BigInt(high & 0x7fff_ffff) << 32n) | BigInt(low || 1);
}
