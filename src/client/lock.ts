import type { Calls } from './calls.ts';
import { EtcdError, EtcdLockFailedError, isPassing } from './error.ts';
import type { KeySpace } from './key_space.ts';
import { Lease } from './lease.ts';
import type { CallOptions } from './options.ts';
import { type Comparison, comparison } from './txn.ts';

/** Seconds for which a lock outlives its holder. */
const TTL_SECONDS = 30;

/** Describes a lock, and takes it. */
export class LockBuilder {
  readonly #calls: Calls;
  readonly #space: KeySpace;
  readonly #name: string;
  #ttlSeconds = TTL_SECONDS;

  constructor(calls: Calls, space: KeySpace, name: string) {
    this.#calls = calls;
    this.#space = space;
    this.#name = name;
  }

  /** Seconds after which the lock of a holder that has vanished is free; 30 by default. */
  ttl(seconds: number): this {
    this.#ttlSeconds = seconds;
    return this;
  }

  /** Waits until the lock is held: as long as it takes, or as the options say. @throws EtcdError */
  async acquire(options: CallOptions = {}): Promise<Lock> {
    const deadlineMs = options.timeoutMs ? Date.now() + options.timeoutMs : Infinity;
    for (;;) {
      // A place in the queue goes with its lease. When the way to it is lost, the member may give
      // it up at any time later: a new try takes a new place.
      const lease = new Lease(this.#calls, this.#space, this.#ttlSeconds);
      try {
        return await this.#acquireWith(lease, { ...options, timeoutMs: leftMs(deadlineMs) });
      } catch (error) {
        await lease.revoke().catch(() => {});
        const isOver = options.signal?.aborted || Date.now() >= deadlineMs;
        const mayPass = error instanceof EtcdError && isPassing(error);
        if (isOver || !(mayPass || error instanceof EtcdLockFailedError)) throw error;
      }
    }
  }

  /** Does something while the lock is held. The signal fires should it be lost meanwhile. */
  async do<T>(work: (lock: Lock) => T | Promise<T>, options: CallOptions = {}): Promise<T> {
    const lock = await this.acquire(options);
    try {
      return await work(lock);
    } finally {
      await lock.release();
    }
  }

  async #acquireWith(lease: Lease, options: CallOptions): Promise<Lock> {
    const id = await lease.grant();
    const name = this.#space.full(this.#name);
    const { key } = await this.#calls.unary('/v3/lock/lock', { name, lease: id }, options);
    const { kvs } = await this.#calls.unary('/v3/kv/range', { key }, { signal: options.signal });
    const [kv] = kvs;
    if (kv === undefined || kv.lease !== id) throw new EtcdLockFailedError();
    return new Lock(key, kv.createRevision, lease);
  }
}

/** 0, which is no limit, only where there is none. */
function leftMs(deadlineMs: number): number {
  return deadlineMs === Infinity ? 0 : Math.max(1, deadlineMs - Date.now());
}

/**
 * A lock that is held. `await using lock = await etcd.lock('name').acquire()` gives it back at the
 * end of the block.
 */
export class Lock {
  /** The key that exists as long as the lock is held. */
  readonly key: Uint8Array;
  /**
   * Rises from holder to holder: what is guarded by the lock takes nothing from whoever has a lower
   * one than it has seen.
   */
  readonly fencingToken: number;
  readonly #lease: Lease;

  constructor(key: Uint8Array, fencingToken: number, lease: Lease) {
    this.key = key;
    this.fencingToken = fencingToken;
    this.#lease = lease;
  }

  /** Fires when the lock is lost, or must be taken to be. */
  get signal(): AbortSignal {
    return this.#lease.signal;
  }

  /** That the lock is held still: for the transactions that are done under it. */
  get held(): Comparison {
    return comparison(this.key, 'Create', '==', this.fencingToken);
  }

  /** Gives it back. Twice is no error. @throws EtcdError */
  async release(options: CallOptions = {}): Promise<void> {
    await this.#lease.revoke(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
