import type { PutRequest, RequestOp } from '../api/gen/messages.ts';
import type { Calls } from './calls.ts';
import type { Init } from './channel.ts';
import { type Bytes, bytesOf, type KeySpace, type Value } from './key_space.ts';
import type { CallOptions } from './options.ts';
import { Pending } from './pending.ts';
import { type PutResult, putResult } from './result.ts';

type Request = { -readonly [Name in keyof PutRequest]?: PutRequest[Name] };

/** Writes one key. */
export class PutBuilder extends Pending<PutResult> {
  readonly #calls: Calls;
  readonly #space: KeySpace;
  readonly #request: Request;
  readonly #lease: (() => Promise<bigint>) | null;
  #options: CallOptions = {};

  /** @param lease grants the lease that the key is to end with */
  constructor(
    calls: Calls,
    space: KeySpace,
    key: Bytes,
    lease: (() => Promise<bigint>) | null = null,
  ) {
    super();
    this.#calls = calls;
    this.#space = space;
    this.#request = { key: space.full(key) };
    this.#lease = lease;
  }

  /** Text, bytes, or a number. */
  value(value: Value): this {
    this.#request.value = bytesOf(value);
    return this;
  }

  /** Anything that JSON can say. */
  json(value: unknown): this {
    return this.value(JSON.stringify(value));
  }

  /** The key ends with that lease. */
  lease(id: bigint): this {
    this.#request.lease = id;
    return this;
  }

  /** Leaves the value as it is: the key must exist. */
  touch(): this {
    this.#request.ignoreValue = true;
    return this;
  }

  /** Leaves the lease as it is: the key must exist. */
  ignoreLease(): this {
    this.#request.ignoreLease = true;
    return this;
  }

  /** The answer has what was there before. */
  getPrevious(): this {
    this.#request.prevKv = true;
    return this;
  }

  /** For this call: a signal that ends it, a time that it may take. */
  options(options: CallOptions): this {
    this.#options = options;
    return this;
  }

  /** The same as an operation of a transaction. A lease must have been granted by then. */
  op(): Init<RequestOp> {
    return { requestPut: this.#request };
  }

  /** Makes the call. @throws EtcdError; one with the outcome `unknown` may have been done */
  override async exec(): Promise<PutResult> {
    if (this.#lease !== null) this.#request.lease = await this.#lease();
    const response = await this.#calls.unary('/v3/kv/put', this.#request, this.#options);
    return putResult(response, this.#space);
  }
}
