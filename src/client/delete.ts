import type { DeleteRangeRequest, RequestOp } from '../api/gen/messages.ts';
import type { Calls } from './calls.ts';
import type { Init } from './channel.ts';
import { Code, EtcdError } from './error.ts';
import type { Bytes, EncodedRange, KeyRange, KeySpace } from './key_space.ts';
import type { CallOptions } from './options.ts';
import { Pending } from './pending.ts';
import { type DeleteResult, deleteResult } from './result.ts';

type Request = { -readonly [Name in keyof DeleteRangeRequest]?: DeleteRangeRequest[Name] };

/** Deletes keys: which, has to be said. */
export class DeleteBuilder extends Pending<DeleteResult> {
  readonly #calls: Calls;
  readonly #space: KeySpace;
  #range: EncodedRange | null = null;
  #previous = false;
  #options: CallOptions = {};

  constructor(calls: Calls, space: KeySpace) {
    super();
    this.#calls = calls;
    this.#space = space;
  }

  /** One key. */
  key(key: Bytes): this {
    this.#range = this.#space.key(key);
    return this;
  }

  /** The keys that begin so. */
  prefix(prefix: Bytes): this {
    this.#range = this.#space.prefix(prefix);
    return this;
  }

  /** The keys from a first one up to another, which is not one of them. */
  inRange(range: KeyRange): this {
    this.#range = this.#space.range(range);
    return this;
  }

  /** Every key. */
  all(): this {
    this.#range = this.#space.all;
    return this;
  }

  /** The answer has what was there before. */
  getPrevious(): this {
    this.#previous = true;
    return this;
  }

  /** For this call: a signal that ends it, a time that it may take. */
  options(options: CallOptions): this {
    this.#options = options;
    return this;
  }

  /** The same as an operation of a transaction. */
  op(): Init<RequestOp> {
    return { requestDeleteRange: this.#request };
  }

  /** Makes the call. @throws EtcdError; one with the outcome `unknown` may have been done */
  override async exec(): Promise<DeleteResult> {
    const response = await this.#calls.unary('/v3/kv/deleterange', this.#request, this.#options);
    return deleteResult(response, this.#space);
  }

  get #request(): Request {
    if (this.#range === null) {
      throw new EtcdError(Code.invalidArgument, 'a deletion has to say of which keys');
    }
    return { ...this.#range, prevKv: this.#previous };
  }
}
