import { BboltError } from '../bbolt/layout.ts';
import { utf8 } from '../lib/bytes.ts';
import type { Place } from '../state/version.ts';

/** etcd's buckets, and its names in them. */
export const Bucket = {
  key: 'key',
  meta: 'meta',
  lease: 'lease',
  alarm: 'alarm',
  auth: 'auth',
  authUsers: 'authUsers',
  authRoles: 'authRoles',
  cluster: 'cluster',
  members: 'members',
  membersRemoved: 'members_removed',
} as const;

export const MetaKey = {
  consistentIndex: utf8('consistent_index'),
  finishedCompact: utf8('finishedCompactRev'),
  scheduledCompact: utf8('scheduledCompactRev'),
} as const;

export const AuthKey = {
  enabled: utf8('authEnabled'),
  revision: utf8('authRevision'),
} as const;

/** The keys of the bucket `key`: main revision, `_`, number inside it; a `t` after deletions. */
const REVISION_BYTES = 17;
const TOMBSTONE = 't'.charCodeAt(0);
const SEPARATOR = '_'.charCodeAt(0);

export function revisionKey({ revision, sub }: Place, deleted = false): Uint8Array {
  const key = new Uint8Array(REVISION_BYTES + (deleted ? 1 : 0));
  const view = new DataView(key.buffer);
  view.setBigInt64(0, BigInt(revision));
  key[8] = SEPARATOR;
  view.setBigInt64(9, BigInt(sub));
  if (deleted) key[REVISION_BYTES] = TOMBSTONE;
  return key;
}

export function readRevisionKey(key: Uint8Array): { place: Place; deleted: boolean } {
  if (key.length < REVISION_BYTES) throw new BboltError('a revision is cut short');
  const view = new DataView(key.buffer, key.byteOffset);
  const place = { revision: Number(view.getBigInt64(0)), sub: Number(view.getBigInt64(9)) };
  return { place, deleted: key[REVISION_BYTES] === TOMBSTONE };
}

/** Big-endian, as etcd's numbers in keys and values are. */
export function bigEndian64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value));
  return bytes;
}
