import { create } from '@bufbuild/protobuf';
import { blankPutResponse } from '../api/blank.ts';
import { EtcdError } from '../api/error.ts';
import {
  type DeleteRangeRequest,
  type DeleteRangeResponse,
  DeleteRangeResponseSchema,
  type PutRequest,
  type PutResponse,
} from '../api/gen/rpc_pb.ts';
import { keyRangeOf } from './key_range.ts';
import { deleteKey, type Leases } from './lease.ts';
import type { Mvcc } from './mvcc.ts';
import { toKeyValue, type Version } from './version.ts';
import { wholeOf } from './version_index.ts';

/**
 * What must hold in the state for a put. Checked for all puts of a transaction before the first
 * one.
 */
export function checkPut(mvcc: Mvcc, leases: Leases, request: PutRequest): void {
  if ((request.ignoreValue || request.ignoreLease) && mvcc.newest(request.key) === null) {
    throw EtcdError.of('keyNotFound');
  }
  if (request.lease !== 0n && leases.get(request.lease) === null) {
    throw EtcdError.of('leaseNotFound');
  }
}

/** Without a lease in the request the key is detached from the one it had. */
export function evaluatePut(mvcc: Mvcc, leases: Leases, request: PutRequest): PutResponse {
  checkPut(mvcc, leases, request);
  const kept = request.ignoreValue || request.ignoreLease ? mvcc.newest(request.key) : null;
  const value = request.ignoreValue && kept ? kept.value : request.value;
  const lease = request.ignoreLease && kept ? kept.lease : request.lease;
  const { version, replaced } = mvcc.put(request.key, { value, lease }, request.prevKv);
  leases.move(version.key, replaced?.lease ?? 0n, lease);
  const response = blankPutResponse();
  const previous = request.prevKv ? wholeOf(replaced) : null;
  if (previous) response.prevKv = toKeyValue(previous);
  return response;
}

/** One revision, one change per key, in key order; nothing found changes nothing. */
export function evaluateDeleteRange(
  mvcc: Mvcc,
  leases: Leases,
  request: DeleteRangeRequest,
): DeleteRangeResponse {
  const found = keysToDelete(mvcc, request);
  for (const { key } of found) deleteKey(leases, mvcc, key);
  return create(DeleteRangeResponseSchema, {
    deleted: BigInt(found.length),
    prevKvs: request.prevKv ? found.map((version) => toKeyValue(version)) : [],
  });
}

function keysToDelete(mvcc: Mvcc, { key, rangeEnd }: DeleteRangeRequest): Version[] {
  if (rangeEnd.length > 0) return [...mvcc.range(keyRangeOf(key, rangeEnd), mvcc.currentRevision)];
  const version = mvcc.newest(key);
  return version === null ? [] : [version];
}
