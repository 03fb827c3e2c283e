import type { Caller } from '../../../src/api/caller.ts';
import type { ErrorName } from '../../../src/api/error.ts';
import { type Permission, Permission_Type } from '../../../src/api/gen/auth_pb.ts';
import type { Command } from '../../../src/api/gen/command_pb.ts';
import type { RequestOp, TxnRequest } from '../../../src/api/gen/rpc_pb.ts';
import { mapKey } from '../../../src/lib/bytes.ts';

type Access = 'read' | 'write';
const ROOT = 'root';
const NONE = new Uint8Array(0);

interface Grant {
  readonly name: string;
  readonly type: Permission_Type;
  readonly start: string;
  /** null: without end. */
  readonly end: string | null;
}

/** Who may do what, at one moment. Never changed: a change makes another. */
export interface ModelRights {
  readonly enabled: boolean;
  readonly everEnabled: boolean;
  readonly revision: number;
  readonly users: ReadonlyMap<string, readonly string[]>;
  readonly roles: ReadonlyMap<string, readonly Grant[]>;
}

export const NO_RIGHTS: ModelRights = {
  enabled: false,
  everEnabled: false,
  revision: 1,
  users: new Map(),
  roles: new Map(),
};

/** Why a request is refused to the caller; null when it is not. */
export function refusal(
  rights: ModelRights,
  caller: Caller,
  request: Command['request'],
  keysOfLease: (id: bigint) => readonly string[],
): ErrorName | null {
  if (!rights.enabled || caller.internal) return null;
  const check = new Check(rights, caller, keysOfLease);
  switch (request.case) {
    case 'put':
    case 'deleteRange':
    case 'txn':
      return check.operation(request);
    case 'leaseGrant':
      return check.user();
    case 'leaseRevoke':
      return check.lease(request.value.ID);
    case 'compaction':
      return check.root();
    default:
      return request.case?.startsWith('auth') ? check.root() : null;
  }
}

/** The same for reading a range. */
export function readRefusal(
  rights: ModelRights,
  caller: Caller,
  key: Uint8Array,
  rangeEnd: Uint8Array,
): ErrorName | null {
  if (!rights.enabled || caller.internal) return null;
  return new Check(rights, caller, () => []).keys('read', key, rangeEnd);
}

type Operation =
  | Extract<Command['request'], { case: 'put' | 'deleteRange' | 'txn' }>
  | RequestOp['request'];

/** One request, by the rights of one moment. */
class Check {
  readonly #rights: ModelRights;
  readonly #caller: Caller;
  readonly #keysOfLease: (id: bigint) => readonly string[];

  constructor(rights: ModelRights, caller: Caller, keysOfLease: (id: bigint) => readonly string[]) {
    this.#rights = rights;
    this.#caller = caller;
    this.#keysOfLease = keysOfLease;
  }

  root(): ErrorName | null {
    const { username } = this.#caller;
    if (username === '') return 'userEmpty';
    return this.#isRoot ? null : 'permissionDenied';
  }

  user(): ErrorName | null {
    const { username, authRevision } = this.#caller;
    if (username === '') return 'userEmpty';
    if (authRevision < BigInt(this.#rights.revision)) return 'authOldRevision';
    return this.#rights.users.has(username) ? null : 'permissionDenied';
  }

  keys(access: Access, key: Uint8Array, rangeEnd: Uint8Array): ErrorName | null {
    const refused = this.user();
    if (refused !== null || this.#isRoot) return refused;
    return this.#covers(access, intervalOf(key, rangeEnd)) ? null : 'permissionDenied';
  }

  lease(id: bigint): ErrorName | null {
    const refused = this.user();
    if (refused !== null || this.#isRoot) return refused;
    const covered = this.#keysOfLease(id).every((key) => {
      return this.#covers('write', { start: key, end: `${key}\0` });
    });
    return covered ? null : 'permissionDenied';
  }

  operation(request: Operation): ErrorName | null {
    switch (request.case) {
      case 'put':
      case 'requestPut': {
        const { key, lease, prevKv } = request.value;
        const joins = lease === 0n ? null : this.lease(lease);
        const reads = prevKv ? this.keys('read', key, NONE) : null;
        return this.keys('write', key, NONE) ?? joins ?? reads;
      }
      case 'deleteRange':
      case 'requestDeleteRange': {
        const { key, rangeEnd, prevKv } = request.value;
        const reads = prevKv ? this.keys('read', key, rangeEnd) : null;
        return this.keys('write', key, rangeEnd) ?? reads;
      }
      case 'requestRange':
        return this.keys('read', request.value.key, request.value.rangeEnd);
      case 'txn':
      case 'requestTxn':
        return this.#txn(request.value);
      case undefined:
        return null;
    }
  }

  /** Everything that it might do, at every depth. */
  #txn({ compare, success, failure }: TxnRequest): ErrorName | null {
    const compares = compare.map(({ key, rangeEnd }) => this.keys('read', key, rangeEnd));
    const operations = [...success, ...failure].map(({ request }) => this.operation(request));
    return [this.user(), ...compares, ...operations].find((refused) => refused !== null) ?? null;
  }

  get #isRoot(): boolean {
    return this.#rights.users.get(this.#caller.username)?.includes(ROOT) ?? false;
  }

  /** Piece by piece: between two ends of permissions nothing changes. */
  #covers(access: Access, wanted: { start: string; end: string | null }): boolean {
    // A range without keys is nobody's to ask for.
    if (wanted.end !== null && wanted.end <= wanted.start) return false;
    const grants = this.#grantsFor(access);
    const ends = grants.flatMap(({ start, end }) => (end === null ? [start] : [start, end]));
    const isInside = (point: string) =>
      point > wanted.start && (wanted.end === null || point < wanted.end);
    return [wanted.start, ...ends.filter(isInside)].every((point) =>
      grants.some(({ start, end }) => start <= point && (end === null || point < end)),
    );
  }

  #grantsFor(access: Access): Grant[] {
    const roles = this.#rights.users.get(this.#caller.username) ?? [];
    const own = access === 'read' ? Permission_Type.READ : Permission_Type.WRITE;
    return roles
      .flatMap((role) => this.#rights.roles.get(role) ?? [])
      .filter(({ type }) => type === own || type === Permission_Type.READWRITE);
  }
}

/** The rights after a command; null when it must be refused, for whatever reason. */
export function withChange(rights: ModelRights, request: Command['request']): ModelRights | null {
  const users = new Map(rights.users);
  const roles = new Map(rights.roles);
  const changed = { ...rights, users, roles, revision: rights.revision + 1 };
  switch (request.case) {
    case 'authBootstrap':
      if (rights.everEnabled) return rights;
      roles.set(ROOT, roles.get(ROOT) ?? []);
      users.set(ROOT, [ROOT]);
      return { ...changed, enabled: true, everEnabled: true };
    case 'authEnable':
      return users.get(ROOT)?.includes(ROOT) ? { ...rights, enabled: true } : null;
    case 'authDisable':
      return rights.enabled ? { ...changed, enabled: false } : rights;
    case 'authUserAdd':
      if (users.has(request.value.name)) return null;
      users.set(request.value.name, []);
      return changed;
    case 'authUserDelete':
      return users.delete(request.value.name) ? changed : null;
    case 'authRoleAdd':
      if (roles.has(request.value.name)) return null;
      roles.set(request.value.name, []);
      return changed;
    case 'authUserGrantRole': {
      const { user, role } = request.value;
      const had = users.get(user);
      if (had === undefined || !roles.has(role)) return null;
      if (had.includes(role)) return rights;
      users.set(user, [...had, role]);
      return changed;
    }
    case 'authUserRevokeRole': {
      const { name, role } = request.value;
      const had = users.get(name) ?? [];
      if (!had.includes(role)) return null;
      users.set(
        name,
        had.filter((other) => other !== role),
      );
      return changed;
    }
    case 'authRoleGrantPermission': {
      const { name, perm } = request.value;
      const had = roles.get(name);
      if (had === undefined || perm === undefined) return null;
      const grant = grantOf(perm);
      roles.set(name, [...had.filter((other) => other.name !== grant.name), grant]);
      return changed;
    }
    case 'authRoleRevokePermission': {
      const { role, key, rangeEnd } = request.value;
      const had = roles.get(role) ?? [];
      const rest = had.filter((other) => other.name !== nameOf(key, rangeEnd));
      if (rest.length === had.length) return null;
      roles.set(role, rest);
      return changed;
    }
    default:
      throw new Error('the workload made another change of rights');
  }
}

function grantOf({ permType, key, rangeEnd }: Permission): Grant {
  return { name: nameOf(key, rangeEnd), type: permType, ...intervalOf(key, rangeEnd) };
}

function nameOf(key: Uint8Array, rangeEnd: Uint8Array): string {
  return `${mapKey(key)} ${mapKey(rangeEnd)}`;
}

function intervalOf(key: Uint8Array, rangeEnd: Uint8Array): { start: string; end: string | null } {
  const start = mapKey(key);
  if (rangeEnd.length === 0) return { start, end: `${start}\0` };
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { start, end: null };
  return { start, end: mapKey(rangeEnd) };
}
