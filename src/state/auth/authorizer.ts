import type { Caller } from '../../api/caller.ts';
import { EtcdError } from '../../api/error.ts';
import type {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from '../../api/gen/rpc_pb.ts';
import { EMPTY_BYTES } from '../../lib/bytes.ts';
import { ALL_KEYS, keyRangeOf } from '../key_range.ts';
import type { Leases } from '../lease.ts';
import type { KeyRange } from '../store.ts';
import type { Auth } from './auth.ts';
import type { Permissions } from './permissions.ts';

type Access = 'read' | 'write';

/**
 * Who may do what to which keys. Each check returns, or throws why not; with authentication off,
 * and for the member itself, all return at once. Asked in the state machine, where the keys are:
 * whatever way a request takes, what it returns or changes has been looked at here.
 */
export class Authorizer {
  readonly #auth: Auth;
  readonly #leases: Leases;

  constructor(auth: Auth, leases: Leases) {
    this.#auth = auth;
    this.#leases = leases;
  }

  /** Whether anybody is asked who they are: the one test that requests pay for without it. */
  get enabled(): boolean {
    return this.#auth.enabled;
  }

  /** Any user. */
  checkUser(caller: Caller): void {
    if (this.#isExempt(caller)) return;
    this.#permissions(caller);
  }

  /** A user with the role root. As in etcd, it does not matter how old its token is. */
  checkAdmin(caller: Caller): void {
    if (this.#isExempt(caller)) return;
    if (!this.#isRoot(caller)) throw EtcdError.of('permissionDenied');
  }

  /** Of a user's own record, or anybody's for root. */
  checkUserRecord(caller: Caller, name: string): void {
    if (this.#isExempt(caller) || this.#isRoot(caller)) return;
    if (caller.username !== name) throw EtcdError.of('permissionDenied');
  }

  /** Of a role that the user has, or any for root. */
  checkRoleRecord(caller: Caller, name: string): void {
    if (this.#isExempt(caller) || this.#isRoot(caller)) return;
    const roles = this.#auth.user(caller.username)?.roles ?? [];
    if (!roles.includes(name)) throw EtcdError.of('permissionDenied');
  }

  /** Reading a key, or all keys of a range: those that exist and those that may come. */
  checkRead(caller: Caller, key: Uint8Array, rangeEnd: Uint8Array = EMPTY_BYTES): void {
    this.#checkKeys(caller, 'read', keyRangeOf(key, rangeEnd));
  }

  checkReadAll(caller: Caller): void {
    this.#checkKeys(caller, 'read', ALL_KEYS);
  }

  /** The keys attached to a lease: their names are data, and its end is theirs. */
  checkLeaseKeys(caller: Caller, lease: bigint, access: Access): void {
    if (this.#isExempt(caller)) return;
    const permissions = this.#permissions(caller);
    if (permissions.isRoot) return;
    for (const key of this.#leases.keysOf(lease)) {
      if (!permissions[access].covers(keyRangeOf(key, EMPTY_BYTES))) {
        throw EtcdError.of('permissionDenied');
      }
    }
  }

  checkRange(caller: Caller, { key, rangeEnd }: RangeRequest): void {
    this.checkRead(caller, key, rangeEnd);
  }

  /** The lease may be one that others count on: whoever joins it must be able to end it. */
  checkPut(caller: Caller, { key, prevKv, lease }: PutRequest): void {
    if (this.#isExempt(caller)) return;
    this.#checkKeys(caller, 'write', keyRangeOf(key, EMPTY_BYTES));
    if (lease !== 0n) this.checkLeaseKeys(caller, lease, 'write');
    if (prevKv && !this.#leaksPrevious) this.checkRead(caller, key);
  }

  checkDeleteRange(caller: Caller, { key, rangeEnd, prevKv }: DeleteRangeRequest): void {
    this.#checkKeys(caller, 'write', keyRangeOf(key, rangeEnd));
    if (prevKv && !this.#leaksPrevious) this.checkRead(caller, key, rangeEnd);
  }

  /** Compares, both branches, and all of it again in nested transactions: none is asked in vain. */
  checkTxn(caller: Caller, { compare, success, failure }: TxnRequest): void {
    if (this.#isExempt(caller)) return;
    this.checkUser(caller);
    for (const { key, rangeEnd } of compare) this.checkRead(caller, key, rangeEnd);
    for (const op of success) this.#checkOp(caller, op);
    for (const op of failure) this.#checkOp(caller, op);
  }

  #checkOp(caller: Caller, { request }: RequestOp): void {
    switch (request.case) {
      case 'requestRange':
        return this.checkRange(caller, request.value);
      case 'requestPut':
        return this.checkPut(caller, request.value);
      case 'requestDeleteRange':
        return this.checkDeleteRange(caller, request.value);
      case 'requestTxn':
        if (this.#leases.bugs.has('auth-nested-unchecked')) return;
        return this.checkTxn(caller, request.value);
      case undefined:
        return;
    }
  }

  #checkKeys(caller: Caller, access: Access, range: KeyRange): void {
    if (this.#isExempt(caller)) return;
    const permissions = this.#permissions(caller);
    if (permissions.isRoot || permissions[access].covers(range)) return;
    throw EtcdError.of('permissionDenied');
  }

  /** Only for the bug 'auth-previous-leaks'. */
  get #leaksPrevious(): boolean {
    return this.#leases.bugs.has('auth-previous-leaks');
  }

  #isExempt(caller: Caller): boolean {
    return !this.#auth.enabled || caller.internal;
  }

  #isRoot({ username }: Caller): boolean {
    if (username === '') throw EtcdError.of('userEmpty');
    return this.#auth.permissionsOf(username)?.isRoot ?? false;
  }

  /** A name that was found out before the last change may stand for somebody else by now. */
  #permissions({ username, authRevision }: Caller): Permissions {
    if (username === '') throw EtcdError.of('userEmpty');
    const isOld = authRevision < BigInt(this.#auth.revision);
    const compares = !this.#leases.bugs.has('auth-revision-ignored');
    if (isOld && compares) throw EtcdError.of('authOldRevision');
    const permissions = this.#auth.permissionsOf(username);
    if (permissions === null) throw EtcdError.of('permissionDenied');
    return permissions;
  }
}
