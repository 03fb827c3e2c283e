/** The client of edgetcd: `import { Etcd } from 'edgetcd/client'`. */
export type * as messages from '../api/gen/messages.ts';
export {
  Auth,
  type PermissionKind,
  type PermissionScope,
  Role,
  type RolePermission,
  User,
} from './auth.ts';
export type { Fetcher, Init } from './channel.ts';
export { Cluster } from './cluster.ts';
export { DeleteBuilder } from './delete.ts';
export { Campaign, Election } from './election.ts';
export {
  Code,
  EtcdError,
  EtcdLeaseInvalidError,
  EtcdLockFailedError,
  EtcdNoLeaderError,
  EtcdWatchCanceledError,
  EtcdWatchCompactedError,
  type Outcome,
} from './error.ts';
export { Etcd } from './etcd.ts';
export type { Bytes, KeyRange, Value } from './key_space.ts';
export { KeyValue } from './key_value.ts';
export { Lease } from './lease.ts';
export { Lock, LockBuilder } from './lock.ts';
export { Maintenance } from './maintenance.ts';
export { Namespace } from './namespace.ts';
export type { AuthOptions, CallOptions, EtcdOptions } from './options.ts';
export { PutBuilder } from './put.ts';
export { MultiRangeBuilder, SingleRangeBuilder, type SortOrder, type SortTarget } from './range.ts';
export type { DeleteResult, OperationResult, PutResult, RangeResult, TxnResult } from './result.ts';
export type { OpenSocket, SocketEvent, SocketLike } from './socket.ts';
export {
  type CompareColumn,
  type CompareOperator,
  type Comparison,
  type Operation,
  Txn,
} from './txn.ts';
export { type WatchBatch, WatchBuilder, type WatchEvent, Watcher } from './watch.ts';
