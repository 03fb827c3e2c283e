import { type ErrorName, EtcdError } from '../api/error.ts';
import {
  type AlarmRequest,
  AlarmType,
  type DeleteRangeRequest,
  type LeaseGrantRequest,
  type PutRequest,
  type RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type RequestOp,
  type TxnRequest,
} from '../api/gen/rpc_pb.ts';
import { limits } from '../config.ts';
import { mapKey } from '../lib/bytes.ts';
import { isOpenEnd } from './key_range.ts';

/**
 * What is wrong with a request by itself, checked before it is proposed, in etcd's order. All
 * throw an EtcdError.
 */

function refuse(when: boolean, error: ErrorName): void {
  if (when) throw EtcdError.of(error);
}

export function validateRange(request: RangeRequest): void {
  refuse(request.key.length === 0, 'keyNotProvided');
  // Numbers outside an enumeration arrive as they are (proto3 enumerations are open).
  refuse(RangeRequest_SortOrder[request.sortOrder] === undefined, 'invalidSortOption');
  refuse(RangeRequest_SortTarget[request.sortTarget] === undefined, 'invalidSortOption');
}

export function validatePut(request: PutRequest): void {
  refuse(request.key.length === 0, 'keyNotProvided');
  refuse(request.ignoreValue && request.value.length > 0, 'valueProvided');
  refuse(request.ignoreLease && request.lease !== 0n, 'leaseProvided');
}

export function validateDeleteRange(request: DeleteRangeRequest): void {
  refuse(request.key.length === 0, 'keyNotProvided');
}

export function validateLeaseGrant(request: LeaseGrantRequest): void {
  refuse(request.TTL > BigInt(limits.leaseTtlSecondsMax), 'leaseTtlTooLarge');
}

/** etcd's 3.4 stops at an ACTIVATE of no alarm at all; here it activates nothing. */
export function isNoAlarm(request: AlarmRequest): boolean {
  return request.alarm === AlarmType.NONE || AlarmType[request.alarm] === undefined;
}

/** Both branches are checked, whichever will be taken; then that no branch changes a key twice. */
export function validateTxn(request: TxnRequest, maxTxnOps: number = limits.txnOpsMax): void {
  validateTxnOps(request, maxTxnOps);
  checkOverlaps(request.success);
  checkOverlaps(request.failure);
}

/** A nested transaction may have as many operations as the one around it leaves over. */
function validateTxnOps(request: TxnRequest, maxTxnOps: number): void {
  const { compare, success, failure } = request;
  const count = Math.max(compare.length, success.length, failure.length);
  refuse(count > maxTxnOps, 'tooManyOps');
  for (const { key } of compare) refuse(key.length === 0, 'keyNotProvided');
  for (const op of success) validateOp(op, maxTxnOps - count);
  for (const op of failure) validateOp(op, maxTxnOps - count);
}

function validateOp({ request }: RequestOp, maxTxnOps: number): void {
  switch (request.case) {
    case 'requestRange':
      return validateRange(request.value);
    case 'requestPut':
      return validatePut(request.value);
    case 'requestDeleteRange':
      return validateDeleteRange(request.value);
    case 'requestTxn':
      return validateTxnOps(request.value, maxTxnOps);
    case undefined:
      throw EtcdError.of('keyNotFound');
  }
}

/** What a list of operations may write: keys by {@link mapKey}. */
interface Writes {
  readonly puts: Set<string>;
  readonly deletes: { readonly start: string; readonly end: string | null }[];
}

/**
 * A key may be put once, and not be put inside a range that the same branch deletes. Deletions may
 * overlap, and the two branches of a nested transaction exclude each other.
 */
function checkOverlaps(ops: readonly RequestOp[]): Writes {
  const writes: Writes = { puts: new Set(), deletes: deletesOf(ops) };
  for (const { request } of ops) {
    if (request.case !== 'requestTxn') continue;
    const success = checkOverlaps(request.value.success);
    const failure = checkOverlaps(request.value.failure);
    const nested = new Set([...success.puts, ...failure.puts]);
    for (const key of nested) addPut(writes, key);
    writes.deletes.push(...success.deletes, ...failure.deletes);
  }
  for (const { request } of ops) {
    if (request.case === 'requestPut') addPut(writes, mapKey(request.value.key));
  }
  return writes;
}

function deletesOf(ops: readonly RequestOp[]): Writes['deletes'] {
  const deletes: Writes['deletes'] = [];
  for (const { request } of ops) {
    if (request.case !== 'requestDeleteRange') continue;
    const { key, rangeEnd } = request.value;
    const start = mapKey(key);
    if (rangeEnd.length === 0) deletes.push({ start, end: `${start}\0` });
    else deletes.push({ start, end: isOpenEnd(rangeEnd) ? null : mapKey(rangeEnd) });
  }
  return deletes;
}

function addPut({ puts, deletes }: Writes, key: string): void {
  refuse(puts.has(key), 'duplicateKey');
  for (const { start, end } of deletes) {
    refuse(key >= start && (end === null || key < end), 'duplicateKey');
  }
  puts.add(key);
}
