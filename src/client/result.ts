import type * as api from '../api/gen/messages.ts';
import type { KeySpace } from './key_space.ts';
import { KeyValue } from './key_value.ts';

/** What a put did. */
export interface PutResult {
  /** Of the store, after it. */
  readonly revision: number;
  /** What the key was before, if that was asked for and there was something. */
  readonly previous: KeyValue | null;
}

/** What a range has found. */
export interface RangeResult {
  /** Of the store that answered. */
  readonly revision: number;
  /** In the order that was asked for. */
  readonly kvs: readonly KeyValue[];
  /** The limit left some out. */
  readonly more: boolean;
  /** Keys in the range, whatever the limit. */
  readonly count: number;
}

/** What a deletion did. */
export interface DeleteResult {
  /** Of the store, after it. */
  readonly revision: number;
  /** Keys that are gone. */
  readonly deleted: number;
  /** What they were, if that was asked for. */
  readonly previous: readonly KeyValue[];
}

/** What a transaction did. */
export interface TxnResult {
  /** Of the store, after it. */
  readonly revision: number;
  /** All comparisons held: `then` was done, otherwise `else`. */
  readonly succeeded: boolean;
  /** Of the operations that were done, in their order. */
  readonly results: readonly OperationResult[];
}

/** What one operation of a transaction did: which, is said by its type. */
export type OperationResult =
  | ({ readonly type: 'put' } & PutResult)
  | ({ readonly type: 'range' } & RangeResult)
  | ({ readonly type: 'delete' } & DeleteResult)
  | ({ readonly type: 'txn' } & TxnResult);

/** Inside a transaction the revision is that of the whole. */
type Header = api.ResponseHeader | undefined;

export function putResult(response: api.PutResponse, space: KeySpace, whole?: Header): PutResult {
  const { header = whole, prevKv } = response;
  const previous = prevKv === undefined ? null : new KeyValue(prevKv, space);
  return { revision: header?.revision ?? 0, previous };
}

export function rangeResult(
  response: api.RangeResponse,
  space: KeySpace,
  whole?: Header,
): RangeResult {
  const { header = whole, kvs, more, count } = response;
  const found = kvs.map((kv) => new KeyValue(kv, space));
  return { revision: header?.revision ?? 0, kvs: found, more, count };
}

export function deleteResult(
  response: api.DeleteRangeResponse,
  space: KeySpace,
  whole?: Header,
): DeleteResult {
  const { header = whole, deleted, prevKvs } = response;
  const previous = prevKvs.map((kv) => new KeyValue(kv, space));
  return { revision: header?.revision ?? 0, deleted, previous };
}

export function txnResult(response: api.TxnResponse, space: KeySpace, whole?: Header): TxnResult {
  const { header = whole, succeeded, responses } = response;
  const results = responses.map((each) => operationResult(each, space, header));
  return { revision: header?.revision ?? 0, succeeded, results };
}

function operationResult(
  response: api.ResponseOp,
  space: KeySpace,
  whole: Header,
): OperationResult {
  const { responseRange, responsePut, responseDeleteRange, responseTxn } = response;
  if (responsePut) return { type: 'put', ...putResult(responsePut, space, whole) };
  if (responseRange) return { type: 'range', ...rangeResult(responseRange, space, whole) };
  if (responseDeleteRange) {
    return { type: 'delete', ...deleteResult(responseDeleteRange, space, whole) };
  }
  const none = { succeeded: false, responses: [] };
  return { type: 'txn', ...txnResult(responseTxn ?? none, space, whole) };
}
