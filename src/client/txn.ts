import type * as api from '../api/gen/messages.ts';
import type { Calls } from './calls.ts';
import type { Init } from './channel.ts';
import { type Bytes, bytesOf, type KeySpace, type Value } from './key_space.ts';
import type { CallOptions } from './options.ts';
import { type TxnResult, txnResult } from './result.ts';

/** What of a key is compared. */
export type CompareColumn = 'Value' | 'Version' | 'Create' | 'Mod' | 'Lease';
/** How it is compared. */
export type CompareOperator = '==' | '===' | '!=' | '!==' | '<' | '>';

/** Something that can be an operation of a transaction: a get, a put, a delete, a transaction. */
export interface Operation {
  /** As the message that travels. */
  op(): Init<api.RequestOp>;
}

/** One comparison of a transaction. */
export type Comparison = Init<api.Compare>;

/**
 * A transaction: comparisons, what is done when all of them hold, and what is done otherwise.
 * `commit` makes the call; awaiting the transaction itself does not.
 */
export class Txn implements Operation {
  readonly #calls: Calls;
  readonly #space: KeySpace;
  readonly #compare: Comparison[] = [];
  readonly #success: Init<api.RequestOp>[] = [];
  readonly #failure: Init<api.RequestOp>[] = [];
  #options: CallOptions = {};

  constructor(calls: Calls, space: KeySpace) {
    this.#calls = calls;
    this.#space = space;
  }

  /**
   * Adds a comparison. A key that does not exist has version, revisions and lease 0, and its value
   * compares with nothing.
   */
  if(key: Bytes, column: CompareColumn, operator: CompareOperator, value: Value | bigint): this {
    this.#compare.push(comparison(this.#space.full(key), column, operator, value));
    return this;
  }

  /** Adds another comparison, or one that was made elsewhere, such as that a lock is held. */
  and(comparison: Comparison): this;
  and(key: Bytes, column: CompareColumn, operator: CompareOperator, value: Value | bigint): this;
  and(
    first: Bytes | Comparison,
    column?: CompareColumn,
    operator?: CompareOperator,
    value?: Value | bigint,
  ): this {
    const isKey = typeof first === 'string' || first instanceof Uint8Array;
    if (!isKey) this.#compare.push(first);
    else if (column && operator && value !== undefined) this.if(first, column, operator, value);
    return this;
  }

  /** What is done when all comparisons hold. */
  // biome-ignore lint/suspicious/noThenProperty: etcd's word; the compiler refuses to await it
  then(...operations: Operation[]): this {
    for (const each of operations) {
      if (typeof each === 'function') throw new TypeError('a transaction is made by commit()');
      this.#success.push(each.op());
    }
    return this;
  }

  /** What is done when one does not. */
  else(...operations: Operation[]): this {
    for (const each of operations) this.#failure.push(each.op());
    return this;
  }

  /** For this call: a signal that ends it, a time that it may take. */
  options(options: CallOptions): this {
    this.#options = options;
    return this;
  }

  /** The same as an operation of another transaction. */
  op(): Init<api.RequestOp> {
    return { requestTxn: this.#request };
  }

  /** Makes the call. @throws EtcdError; one with the outcome `unknown` may have been done */
  async commit(): Promise<TxnResult> {
    const response = await this.#calls.unary('/v3/kv/txn', this.#request, this.#options);
    return txnResult(response, this.#space);
  }

  get #request(): Init<api.TxnRequest> {
    return { compare: this.#compare, success: this.#success, failure: this.#failure };
  }
}

const RESULTS = {
  '==': 'EQUAL',
  '===': 'EQUAL',
  '!=': 'NOT_EQUAL',
  '!==': 'NOT_EQUAL',
  '<': 'LESS',
  '>': 'GREATER',
} as const;

/** @param key as the cluster knows it */
export function comparison(
  key: Uint8Array,
  column: CompareColumn,
  operator: CompareOperator,
  value: Value | bigint,
): Comparison {
  const result = RESULTS[operator];
  switch (column) {
    case 'Value':
      return { key, result, target: 'VALUE', value: bytesOf(value as Value) };
    case 'Version':
      return { key, result, target: 'VERSION', version: Number(value) };
    case 'Create':
      return { key, result, target: 'CREATE', createRevision: Number(value) };
    case 'Mod':
      return { key, result, target: 'MOD', modRevision: Number(value) };
    case 'Lease':
      return { key, result, target: 'LEASE', lease: BigInt(value as bigint | number | string) };
  }
}
