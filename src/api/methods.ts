import type { DescMessage, DescMethod } from '@bufbuild/protobuf';
import { assert } from '../lib/assert.ts';
import { Election } from './gen/election_pb.ts';
import { Lock } from './gen/lock_pb.ts';
import { Auth, Cluster, KV, Lease, Maintenance, Watch } from './gen/rpc_pb.ts';

export type MethodKind = 'unary' | 'server_streaming' | 'bidi_streaming';

/** One method of etcd's v3 API, as gRPC and the JSON gateway know it. */
export interface Method {
  /**
   * Of the gateway: `/v3/kv/range`. An alias has a method of its own, which differs in the path
   * only.
   */
  readonly path: string;
  /** Full gRPC service name: `etcdserverpb.KV`. */
  readonly service: string;
  readonly name: string;
  readonly input: DescMessage;
  readonly output: DescMessage;
  readonly kind: MethodKind;
}

/** Every route of etcd 3.6's gateway. The historic 3.3 paths of three lease methods still exist. */
const ROUTES: readonly (readonly [path: string, method: DescMethod])[] = [
  ['/v3/kv/range', KV.method.range],
  ['/v3/kv/put', KV.method.put],
  ['/v3/kv/deleterange', KV.method.deleteRange],
  ['/v3/kv/txn', KV.method.txn],
  ['/v3/kv/compaction', KV.method.compact],
  ['/v3/watch', Watch.method.watch],
  ['/v3/lease/grant', Lease.method.leaseGrant],
  ['/v3/lease/revoke', Lease.method.leaseRevoke],
  ['/v3/kv/lease/revoke', Lease.method.leaseRevoke],
  ['/v3/lease/keepalive', Lease.method.leaseKeepAlive],
  ['/v3/lease/timetolive', Lease.method.leaseTimeToLive],
  ['/v3/kv/lease/timetolive', Lease.method.leaseTimeToLive],
  ['/v3/lease/leases', Lease.method.leaseLeases],
  ['/v3/kv/lease/leases', Lease.method.leaseLeases],
  ['/v3/cluster/member/add', Cluster.method.memberAdd],
  ['/v3/cluster/member/remove', Cluster.method.memberRemove],
  ['/v3/cluster/member/update', Cluster.method.memberUpdate],
  ['/v3/cluster/member/list', Cluster.method.memberList],
  ['/v3/cluster/member/promote', Cluster.method.memberPromote],
  ['/v3/maintenance/alarm', Maintenance.method.alarm],
  ['/v3/maintenance/status', Maintenance.method.status],
  ['/v3/maintenance/defragment', Maintenance.method.defragment],
  ['/v3/maintenance/hash', Maintenance.method.hash],
  ['/v3/maintenance/hashkv', Maintenance.method.hashKV],
  ['/v3/maintenance/snapshot', Maintenance.method.snapshot],
  ['/v3/maintenance/transfer-leadership', Maintenance.method.moveLeader],
  ['/v3/maintenance/downgrade', Maintenance.method.downgrade],
  ['/v3/auth/enable', Auth.method.authEnable],
  ['/v3/auth/disable', Auth.method.authDisable],
  ['/v3/auth/status', Auth.method.authStatus],
  ['/v3/auth/authenticate', Auth.method.authenticate],
  ['/v3/auth/user/add', Auth.method.userAdd],
  ['/v3/auth/user/get', Auth.method.userGet],
  ['/v3/auth/user/list', Auth.method.userList],
  ['/v3/auth/user/delete', Auth.method.userDelete],
  ['/v3/auth/user/changepw', Auth.method.userChangePassword],
  ['/v3/auth/user/grant', Auth.method.userGrantRole],
  ['/v3/auth/user/revoke', Auth.method.userRevokeRole],
  ['/v3/auth/role/add', Auth.method.roleAdd],
  ['/v3/auth/role/get', Auth.method.roleGet],
  ['/v3/auth/role/list', Auth.method.roleList],
  ['/v3/auth/role/delete', Auth.method.roleDelete],
  ['/v3/auth/role/grant', Auth.method.roleGrantPermission],
  ['/v3/auth/role/revoke', Auth.method.roleRevokePermission],
  ['/v3/lock/lock', Lock.method.lock],
  ['/v3/lock/unlock', Lock.method.unlock],
  ['/v3/election/campaign', Election.method.campaign],
  ['/v3/election/proclaim', Election.method.proclaim],
  ['/v3/election/leader', Election.method.leader],
  ['/v3/election/observe', Election.method.observe],
  ['/v3/election/resign', Election.method.resign],
];

/** The methods of the gateway, aliases included, in the order of etcd's documentation. */
export const METHODS: readonly Method[] = ROUTES.map(([path, method]) => methodAt(path, method));

/**
 * Unary methods that answer when something has happened (a lock is free, an election is won): they
 * are delivered so that a client which hangs up meanwhile is noticed.
 */
const WAITING: ReadonlySet<string> = new Set(['/v3/lock/lock', '/v3/election/campaign']);

export function waits(path: string): boolean {
  return WAITING.has(path);
}

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

export function isRead(path: string): boolean {
  return READS.has(path);
}

const byPath: ReadonlyMap<string, Method> = new Map(METHODS.map((method) => [method.path, method]));

/** The method served at a path of the gateway; undefined: etcd answers 404. */
export function methodOf(path: string): Method | undefined {
  return byPath.get(path);
}

function methodAt(path: string, { methodKind: kind, ...method }: DescMethod): Method {
  assert(kind !== 'client_streaming', `${method.name}: etcd has no client streams`);
  return {
    path,
    service: method.parent.typeName,
    name: method.name,
    input: method.input,
    output: method.output,
    kind,
  };
}
