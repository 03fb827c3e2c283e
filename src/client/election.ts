import type * as api from '../api/gen/messages.ts';
import { Calls } from './calls.ts';
import { EtcdError, EtcdNoLeaderError, isPassing, isTokenInvalid } from './error.ts';
import { bytesOf, type KeySpace, type Value } from './key_space.ts';
import { KeyValue } from './key_value.ts';
import { Lease } from './lease.ts';
import type { CallOptions } from './options.ts';
import { sleep } from './sleep.ts';
import { type Comparison, comparison } from './txn.ts';

/** An election by name: one of its candidates leads at a time. */
export class Election {
  readonly #calls: Calls;
  readonly #space: KeySpace;
  readonly #name: Uint8Array;
  readonly #ttlSeconds: number;

  constructor(calls: Calls, space: KeySpace, name: string, ttlSeconds: number) {
    this.#calls = calls;
    this.#space = space;
    this.#name = space.full(name);
    this.#ttlSeconds = ttlSeconds;
  }

  /** Waits until it is elected: as long as it takes, or as the options say. @throws EtcdError */
  async campaign(value: Value, options: CallOptions = {}): Promise<Campaign> {
    const deadlineMs = options.timeoutMs ? Date.now() + options.timeoutMs : Infinity;
    for (;;) {
      // As with locks: a place whose member was lost may be given up by it later.
      const lease = new Lease(this.#calls, this.#space, this.#ttlSeconds);
      const timeoutMs = deadlineMs === Infinity ? 0 : Math.max(1, deadlineMs - Date.now());
      try {
        const request = { name: this.#name, lease: await lease.grant(), value: bytesOf(value) };
        const own = { ...options, timeoutMs };
        const { leader } = await this.#calls.unary('/v3/election/campaign', request, own);
        if (leader === undefined) throw new EtcdNoLeaderError();
        return new Campaign(this.#calls, leader, lease);
      } catch (error) {
        await lease.revoke().catch(() => {});
        const isOver = options.signal?.aborted || Date.now() >= deadlineMs;
        if (isOver || !(error instanceof EtcdError) || !isPassing(error)) throw error;
      }
    }
  }

  /** Who leads, and with which value. @throws EtcdNoLeaderError when nobody does */
  async leader(options: CallOptions = {}): Promise<KeyValue> {
    const { kv } = await this.#calls.unary('/v3/election/leader', { name: this.#name }, options);
    if (kv === undefined) throw new EtcdNoLeaderError();
    return new KeyValue(kv, this.#space);
  }

  /** Who leads now, and whenever that or the value changes. Goes on by itself after failures. */
  async *observe({ signal }: CallOptions = {}): AsyncGenerator<KeyValue, void, void> {
    let seen = 0;
    for (let tries = 1; ; tries++) {
      try {
        const request = { name: this.#name };
        const options = { signal };
        for await (const { kv } of this.#calls.stream('/v3/election/observe', request, options)) {
          tries = 1;
          // An observation that begins anew tells who leads already.
          if (kv === undefined || kv.modRevision <= seen) continue;
          seen = kv.modRevision;
          yield new KeyValue(kv, this.#space);
        }
      } catch (error) {
        const mayPass = error instanceof EtcdError && (isPassing(error) || isTokenInvalid(error));
        if (!mayPass) throw error;
      }
      await sleep(Calls.pauseMs(tries), signal ?? null, this.#calls.closed);
    }
  }
}

/** A candidate that was elected. */
export class Campaign {
  readonly #calls: Calls;
  readonly #leader: api.LeaderKey;
  readonly #lease: Lease;

  constructor(calls: Calls, leader: api.LeaderKey, lease: Lease) {
    this.#calls = calls;
    this.#leader = leader;
    this.#lease = lease;
  }

  /** The key that exists as long as it leads. */
  get key(): Uint8Array {
    return this.#leader.key;
  }

  /** Rises from leader to leader. */
  get fencingToken(): number {
    return this.#leader.rev;
  }

  /** Fires when it leads no more, or must be taken to. */
  get signal(): AbortSignal {
    return this.#lease.signal;
  }

  /** That it leads still: for the transactions that are done as the leader. */
  get leading(): Comparison {
    return comparison(this.key, 'Create', '==', this.fencingToken);
  }

  /** Changes the value that the election shows. @throws EtcdError */
  async proclaim(value: Value, options: CallOptions = {}): Promise<void> {
    const request = { leader: this.#leader, value: bytesOf(value) };
    await this.#calls.unary('/v3/election/proclaim', request, options);
  }

  /** Leads no more. Twice is no error. @throws EtcdError */
  async resign(options: CallOptions = {}): Promise<void> {
    await this.#lease.revoke(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resign();
  }
}
