import {
  type Compare,
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
} from '../api/gen/rpc_pb.ts';
import { compareBytes, EMPTY_BYTES } from '../lib/bytes.ts';
import { keyRangeOf } from './key_range.ts';
import type { Mvcc } from './mvcc.ts';
import type { Version } from './version.ts';

/** All compares hold; true for none. */
export function holdAll(mvcc: Mvcc, compares: readonly Compare[]): boolean {
  return compares.every((compare) => holds(mvcc, compare));
}

/**
 * Every key of the range must satisfy the comparison. An empty range is compared as one key that
 * does not exist: all its numbers are zero, and a comparison of its value is false, whichever it
 * is.
 */
function holds(mvcc: Mvcc, compare: Compare): boolean {
  if (compare.rangeEnd.length === 0) return matches(compare, mvcc.newest(compare.key));
  const range = keyRangeOf(compare.key, compare.rangeEnd);
  let empty = true;
  for (const version of mvcc.range(range, mvcc.currentRevision)) {
    empty = false;
    if (!matches(compare, version)) return false;
  }
  return !empty || matches(compare, null);
}

function matches(compare: Compare, version: Version | null): boolean {
  if (compare.target === Target.VALUE && version === null) return false;
  const sign = difference(compare, version);
  switch (compare.result) {
    case Result.EQUAL:
      return sign === 0;
    case Result.NOT_EQUAL:
      return sign !== 0;
    case Result.GREATER:
      return sign > 0;
    case Result.LESS:
      return sign < 0;
    default:
      // An unknown operator: etcd lets it pass.
      return true;
  }
}

/**
 * What the key has against what the request says. A value meant for another target counts as zero
 * or empty.
 */
function difference({ target, targetUnion: union }: Compare, version: Version | null): number {
  switch (target) {
    case Target.VERSION:
      return order(version?.version ?? 0, union.case === 'version' ? union.value : 0n);
    case Target.CREATE:
      return order(
        version?.createRevision ?? 0,
        union.case === 'createRevision' ? union.value : 0n,
      );
    case Target.MOD:
      return order(version?.modRevision ?? 0, union.case === 'modRevision' ? union.value : 0n);
    case Target.LEASE:
      return order(version?.lease ?? 0n, union.case === 'lease' ? union.value : 0n);
    case Target.VALUE:
      return compareBytes(
        version?.value ?? EMPTY_BYTES,
        union.case === 'value' ? union.value : EMPTY_BYTES,
      );
    default:
      return 0;
  }
}

function order(a: number | bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
