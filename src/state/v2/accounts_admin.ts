import type {
  V2AuthSwitch,
  V2Permissions,
  V2RoleDelete,
  V2RolePut,
  V2UserDelete,
  V2UserPut,
} from '../../api/gen/command_pb.ts';
import { V2AuthError } from '../../api/v2/auth_error.ts';
import { insufficientCredentials } from '../../api/v2/denied.ts';
import {
  ENABLED_PATH,
  encodeRole,
  encodeUser,
  GUEST,
  GUEST_ROLE,
  ROLES_PATH,
  ROOT,
  USERS_PATH,
  V2Accounts,
  type V2Permits,
  type V2Role,
  type V2User,
} from './accounts.ts';
import { AUTH_ROOT } from './path.ts';
import type { V2Store } from './store.ts';

/** Makes a user, or changes one. @returns the user, and whether it is new. @throws V2AuthError */
export function putUser(store: V2Store, request: V2UserPut): { user: V2User; isNew: boolean } {
  const accounts = administrated(store, request.asker);
  const { name, passwordHash, roles } = request;
  const old = accounts.user(name);
  const isChange = request.grant.length > 0 || request.revoke.length > 0;
  if (old === null && isChange) throw new V2AuthError('userUnknown', name);
  if (old !== null && roles.length === 0)
    return { user: changeUser(store, old, request), isNew: false };
  if (passwordHash === '') throw new V2AuthError('userWithoutPassword', name);
  if (old !== null) throw new V2AuthError('userExists', name);
  const asked = roles.length > 0 ? roles : null;
  const all = name === ROOT && !asked?.includes(ROOT) ? [...(asked ?? []), ROOT] : asked;
  const user: V2User = { name, passwordHash, roles: all };
  makeDirectories(store);
  write(store, 'create', `${USERS_PATH}/${name}`, encodeUser(user));
  // etcd says so only of one that was made without roles.
  return { user, isNew: roles.length === 0 };
}

function changeUser(store: V2Store, old: V2User, request: V2UserPut): V2User {
  const { name, passwordHash, grant, revoke } = request;
  const roles = new Set(old.roles);
  for (const role of grant) {
    if (roles.has(role)) throw new V2AuthError('roleGrantedTwice', role, name);
    roles.add(role);
  }
  for (const role of revoke) {
    if (!roles.delete(role)) throw new V2AuthError('roleNotGranted', role, name);
  }
  const user: V2User = {
    name,
    passwordHash: passwordHash === '' ? old.passwordHash : passwordHash,
    roles: [...roles].sort(),
  };
  const isSame = user.passwordHash === old.passwordHash && isSameList(user.roles, old.roles);
  if (isSame) throw new V2AuthError('userNotChanged');
  write(store, 'update', `${USERS_PATH}/${name}`, encodeUser(user));
  return user;
}

/** @throws V2AuthError */
export function deleteUser(store: V2Store, { asker, name }: V2UserDelete): void {
  const accounts = administrated(store, asker);
  if (name === ROOT && accounts.enabled) throw new V2AuthError('rootInUse');
  if (accounts.user(name) === null) throw new V2AuthError('userUnknownAtDelete', name);
  erase(store, `${USERS_PATH}/${name}`);
}

/** Makes a role, or changes one. @returns the role. @throws V2AuthError */
export function putRole(store: V2Store, request: V2RolePut): V2Role {
  const { asker, name, permissions, grant, revoke } = request;
  const accounts = administrated(store, asker);
  if (name === ROOT) throw new V2AuthError('roleIsRoot', name);
  const old = accounts.role(name);
  const path = `${ROLES_PATH}/${name}`;
  if (isEmpty(grant) && isEmpty(revoke)) {
    if (old !== null) throw new V2AuthError('roleExists', name);
    const role: V2Role = { name, permits: permitsOf(permissions) };
    makeDirectories(store);
    write(store, 'create', path, encodeRole(role));
    return role;
  }
  if (old === null) throw new V2AuthError('roleUnknown', name);
  const role: V2Role = { name, permits: changedPermits(old.permits, grant, revoke) };
  const isSame = (what: keyof V2Permits) => isSameList(role.permits[what], old.permits[what]);
  if (isSame('read') && isSame('write')) throw new V2AuthError('roleNotChanged');
  write(store, 'update', path, encodeRole(role));
  return role;
}

/** @throws V2AuthError */
export function deleteRole(store: V2Store, { asker, name }: V2RoleDelete): void {
  const accounts = administrated(store, asker);
  if (name === ROOT) throw new V2AuthError('roleIsRoot', name);
  if (accounts.role(name) === null) throw new V2AuthError('roleUnknownAtDelete', name);
  erase(store, `${ROLES_PATH}/${name}`);
}

/** Whether permissions are asked for from now on. @throws V2AuthError */
export function switchAuth(store: V2Store, { asker, enabled }: V2AuthSwitch): void {
  const accounts = administrated(store, asker);
  if (accounts.enabled === enabled) {
    throw new V2AuthError(enabled ? 'alreadyEnabled' : 'alreadyDisabled');
  }
  if (enabled && accounts.user(ROOT) === null) throw new V2AuthError('noRootUser');
  makeDirectories(store);
  if (enabled && accounts.role(GUEST) === null) {
    write(store, 'create', `${ROLES_PATH}/${GUEST}`, encodeRole(GUEST_ROLE));
  }
  write(store, 'set', ENABLED_PATH, String(enabled));
}

function administrated(store: V2Store, asker: string): V2Accounts {
  const accounts = new V2Accounts(store);
  if (!accounts.mayAdministrate(asker)) throw insufficientCredentials();
  return accounts;
}

function changedPermits(
  { read, write: written }: V2Permits,
  grant: V2Permissions | undefined,
  revoke: V2Permissions | undefined,
): V2Permits {
  return {
    read: changedPatterns(read, grant?.read, revoke?.read, 'readGrantedTwice'),
    write: changedPatterns(written, grant?.write, revoke?.write, 'writeGrantedTwice'),
  };
}

function changedPatterns(
  old: readonly string[] | null,
  granted: readonly string[] = [],
  revoked: readonly string[] = [],
  twice: 'readGrantedTwice' | 'writeGrantedTwice',
): string[] {
  const patterns = new Set(old);
  for (const pattern of granted) {
    if (patterns.has(pattern)) throw new V2AuthError(twice, pattern);
    patterns.add(pattern);
  }
  for (const pattern of revoked) patterns.delete(pattern);
  return [...patterns].sort();
}

function permitsOf(permissions: V2Permissions | undefined): V2Permits {
  const named = (list: readonly string[] = []) => (list.length === 0 ? null : list);
  return { read: named(permissions?.read), write: named(permissions?.write) };
}

function isEmpty(permissions: V2Permissions | undefined): boolean {
  return !permissions || permissions.read.length + permissions.write.length === 0;
}

function isSameList(a: readonly string[] | null, b: readonly string[] | null): boolean {
  const [first, second] = [a ?? [], b ?? []];
  return first.length === second.length && first.every((item, i) => item === second[i]);
}

/** As etcd's first change of users or roles makes them, each under an index of its own. */
function makeDirectories(store: V2Store): void {
  for (const path of [AUTH_ROOT, USERS_PATH, ROLES_PATH]) {
    if (store.tree.get(path) === null) write(store, 'create', path, null);
  }
  if (store.tree.get(ENABLED_PATH) === null) write(store, 'create', ENABLED_PATH, 'false');
}

function write(
  store: V2Store,
  action: 'create' | 'set' | 'update',
  path: string,
  value: string | null,
): void {
  const index = store.index + 1;
  const createdIndex = action === 'update' ? store.find(path).createdIndex : index;
  const node = { value, createdIndex, modifiedIndex: index, expirationMs: 0 };
  store.tree.set(path, node);
  // What a watcher of keys never sees: passwords need not be in the history.
  store.recordHidden(action, path, value === null);
}

function erase(store: V2Store, path: string): void {
  store.tree.remove(path, 1);
  store.recordHidden('delete', path, false);
}
