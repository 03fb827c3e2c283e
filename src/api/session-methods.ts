import { must } from '../lib/assert.ts';

/** The version of the session's protocol that is spoken here: docs/PROTOCOL.md. */
export const SESSION_VERSION = 1;

/** A larger frame closes its connection: one largest request, and what surrounds it. */
export const SESSION_FRAME_BYTES_MAX = 2_162_688;

/**
 * A client says what it has taken in at least so often: half of what a stream may have on its way
 * before it waits.
 */
export const SESSION_RECEIVED_EVERY_BYTES = 32 * 1024;

/** Where the gateway serves it. */
export const SESSION_PATH = '/v3/session';

/**
 * The gateway's paths by their number in proto/session.proto, which is the place in this list; the
 * number 0 is none. Aliases have no number.
 */
export const SESSION_METHODS = [
  '',
  '/v3/kv/range',
  '/v3/kv/put',
  '/v3/kv/deleterange',
  '/v3/kv/txn',
  '/v3/kv/compaction',
  '/v3/watch',
  '/v3/lease/grant',
  '/v3/lease/revoke',
  '/v3/lease/keepalive',
  '/v3/lease/timetolive',
  '/v3/lease/leases',
  '/v3/cluster/member/add',
  '/v3/cluster/member/remove',
  '/v3/cluster/member/update',
  '/v3/cluster/member/list',
  '/v3/cluster/member/promote',
  '/v3/maintenance/alarm',
  '/v3/maintenance/status',
  '/v3/maintenance/defragment',
  '/v3/maintenance/hash',
  '/v3/maintenance/hashkv',
  '/v3/maintenance/snapshot',
  '/v3/maintenance/transfer-leadership',
  '/v3/maintenance/downgrade',
  '/v3/auth/enable',
  '/v3/auth/disable',
  '/v3/auth/status',
  '/v3/auth/authenticate',
  '/v3/auth/user/add',
  '/v3/auth/user/get',
  '/v3/auth/user/list',
  '/v3/auth/user/delete',
  '/v3/auth/user/changepw',
  '/v3/auth/user/grant',
  '/v3/auth/user/revoke',
  '/v3/auth/role/add',
  '/v3/auth/role/get',
  '/v3/auth/role/list',
  '/v3/auth/role/delete',
  '/v3/auth/role/grant',
  '/v3/auth/role/revoke',
  '/v3/lock/lock',
  '/v3/lock/unlock',
  '/v3/election/campaign',
  '/v3/election/proclaim',
  '/v3/election/leader',
  '/v3/election/observe',
  '/v3/election/resign',
] as const;

/** A path of the gateway that a session can call. */
export type SessionPath = Exclude<(typeof SESSION_METHODS)[number], ''>;

const numbers: ReadonlyMap<string, number> = new Map(
  SESSION_METHODS.map((path, number) => [path, number]),
);

/** The number of a method, by its path. */
export function methodNumber(path: SessionPath): number {
  return must(numbers.get(path), `${path} has no number`);
}

/** The path of a method, by its number; null: there is no such method. */
export function methodPath(number: number): SessionPath | null {
  return SESSION_METHODS[number] || null;
}
