/** Methods that change nothing: they may be asked of any member, and asked again. */
const READS: ReadonlySet<string> = new Set([
  '/v3/kv/range',
  '/v3/lease/timetolive',
  '/v3/lease/leases',
  '/v3/kv/lease/timetolive',
  '/v3/kv/lease/leases',
  '/v3/cluster/member/list',
  '/v3/maintenance/status',
  '/v3/maintenance/hash',
  '/v3/maintenance/hashkv',
  // Twice a token is no harm: both are good.
  '/v3/auth/authenticate',
  '/v3/auth/status',
  '/v3/auth/user/get',
  '/v3/auth/user/list',
  '/v3/auth/role/get',
  '/v3/auth/role/list',
  '/v3/election/leader',
]);

/** Whether a method of this path changes nothing. */
export function isRead(path: string): boolean {
  return READS.has(path);
}
