import type { KeyValue } from '../api/gen/kv_pb.ts';
import {
  type RangeRequest,
  type RangeResponse,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
} from '../api/gen/rpc_pb.ts';
import { compareBytes } from '../lib/bytes.ts';
import { keyRangeOf } from './key_range.ts';
import type { Mvcc } from './mvcc.ts';
import type { KeyRange } from './store.ts';
import { toKeyValue, type Version } from './version.ts';

/** Answers a range request at its revision. The request has been validated. @throws EtcdError */
export function evaluateRange(mvcc: Mvcc, request: RangeRequest): RangeResponse {
  const wanted = Number(request.revision);
  mvcc.checkReadable(wanted > 0 ? wanted : mvcc.currentRevision);
  const revision = wanted > 0 ? wanted : mvcc.currentRevision;
  const range = keyRangeOf(request.key, request.rangeEnd);
  if (request.countOnly) {
    return response([], false, countAt(mvcc, range, revision));
  }
  if (request.rangeEnd.length === 0 && revision === mvcc.currentRevision) {
    return pointRange(mvcc.newest(request.key), request);
  }
  const limit = request.limit > 0n ? Number(request.limit) : Number.POSITIVE_INFINITY;
  const found = isKeyOrder(request)
    ? readInKeyOrder(mvcc, range, revision, request, limit)
    : readSorted(mvcc, range, revision, request, limit);
  const kvs = found.versions.map((version) => toKeyValue(version, request.keysOnly));
  return response(kvs, found.more, found.count);
}

function response(kvs: KeyValue[], more: boolean, count: number): RangeResponse {
  return { $typeName: 'etcdserverpb.RangeResponse', kvs, more, count: BigInt(count) };
}

interface Found {
  readonly versions: Version[];
  readonly more: boolean;
  /** Keys in the range, whatever the limit and the filters say. */
  readonly count: number;
}

function pointRange(version: Version | null, request: RangeRequest): RangeResponse {
  if (version === null) return response([], false, 0);
  const kvs = passes(version, request) ? [toKeyValue(version, request.keysOnly)] : [];
  return response(kvs, false, 1);
}

/** NONE on the key is the order of the store; NONE on another target is etcd's ASCEND. */
function isKeyOrder({ sortTarget }: RangeRequest): boolean {
  return sortTarget === SortTarget.KEY;
}

/** Stops reading one key after the limit, which tells `more`. */
function readInKeyOrder(
  mvcc: Mvcc,
  range: KeyRange,
  revision: number,
  request: RangeRequest,
  limit: number,
): Found {
  const reverse = request.sortOrder === SortOrder.DESCEND;
  const versions: Version[] = [];
  let seen = 0;
  for (const version of mvcc.range(range, revision, reverse, limit + 1)) {
    seen++;
    if (!passes(version, request)) continue;
    if (versions.length === limit) {
      return { versions, more: true, count: countAt(mvcc, range, revision) };
    }
    versions.push(version);
  }
  return { versions, more: false, count: seen };
}

/** Another order than the key's needs the whole range; ties stay in key order. */
function readSorted(
  mvcc: Mvcc,
  range: KeyRange,
  revision: number,
  request: RangeRequest,
  limit: number,
): Found {
  const versions: Version[] = [];
  let count = 0;
  for (const version of mvcc.range(range, revision)) {
    count++;
    if (passes(version, request)) versions.push(version);
  }
  const compare = comparison(request.sortTarget);
  const sign = request.sortOrder === SortOrder.DESCEND ? -1 : 1;
  versions.sort((a, b) => sign * compare(a, b));
  const more = versions.length > limit;
  if (more) versions.length = limit;
  return { versions, more, count };
}

function comparison(target: SortTarget): (a: Version, b: Version) => number {
  switch (target) {
    case SortTarget.VERSION:
      return (a, b) => a.version - b.version;
    case SortTarget.CREATE:
      return (a, b) => a.createRevision - b.createRevision;
    case SortTarget.MOD:
      return (a, b) => a.modRevision - b.modRevision;
    case SortTarget.VALUE:
      return (a, b) => compareBytes(a.value, b.value);
    case SortTarget.KEY:
      return (a, b) => compareBytes(a.key, b.key);
  }
}

function passes({ modRevision, createRevision }: Version, request: RangeRequest): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return (
    (minModRevision === 0n || modRevision >= minModRevision) &&
    (maxModRevision === 0n || modRevision <= maxModRevision) &&
    (minCreateRevision === 0n || createRevision >= minCreateRevision) &&
    (maxCreateRevision === 0n || createRevision <= maxCreateRevision)
  );
}

function countAt(mvcc: Mvcc, range: KeyRange, revision: number): number {
  if (revision === mvcc.currentRevision) return mvcc.count(range);
  let count = 0;
  for (const _ of mvcc.range(range, revision)) count++;
  return count;
}
