import { EMPTY_BYTES } from '../lib/bytes.ts';
import type { PutRequest, PutResponse, RangeRequest } from './gen/rpc_pb.ts';

/**
 * Messages without a field, for those who fill them in by hand. Literals: create() would cost as
 * much as the rest.
 */

export function blankPut(): PutRequest {
  return {
    $typeName: 'etcdserverpb.PutRequest',
    key: EMPTY_BYTES,
    value: EMPTY_BYTES,
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  };
}

export function blankPutResponse(): PutResponse {
  return { $typeName: 'etcdserverpb.PutResponse' };
}

export function blankRange(): RangeRequest {
  return {
    $typeName: 'etcdserverpb.RangeRequest',
    key: EMPTY_BYTES,
    rangeEnd: EMPTY_BYTES,
    limit: 0n,
    revision: 0n,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0n,
    maxModRevision: 0n,
    minCreateRevision: 0n,
    maxCreateRevision: 0n,
  };
}
