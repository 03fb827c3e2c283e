import { create } from '@bufbuild/protobuf';
import { EtcdError } from '../../api/error.ts';
import {
  type AuthRoleAddRequest,
  AuthRoleAddResponseSchema,
  type AuthRoleDeleteRequest,
  AuthRoleDeleteResponseSchema,
  type AuthRoleGrantPermissionRequest,
  AuthRoleGrantPermissionResponseSchema,
  type AuthRoleRevokePermissionRequest,
  AuthRoleRevokePermissionResponseSchema,
  type AuthUserAddRequest,
  AuthUserAddResponseSchema,
  type AuthUserChangePasswordRequest,
  AuthUserChangePasswordResponseSchema,
  type AuthUserDeleteRequest,
  AuthUserDeleteResponseSchema,
  type AuthUserGrantRoleRequest,
  AuthUserGrantRoleResponseSchema,
  type AuthUserRevokeRoleRequest,
  AuthUserRevokeRoleResponseSchema,
} from '../../api/gen/rpc_pb.ts';
import { limits } from '../../config.ts';
import { must } from '../../lib/assert.ts';
import { compareBytes, equalBytes, ownBytes } from '../../lib/bytes.ts';
import type { Auth } from './auth.ts';
import { ROOT } from './permissions.ts';
import type { KeyPermission, Role, User } from './records.ts';
import type { Tokens } from './tokens.ts';
import {
  validatePasswordHash,
  validatePermission,
  validateRoleAdd,
  validateUserAdd,
} from './validate.ts';

/** Changes of users and roles, in etcd's order of checks. Each raises the auth revision once. */

export function addUser(auth: Auth, request: AuthUserAddRequest) {
  validateUserAdd(request);
  const { name, hashedPassword } = request;
  refuseClearText(request.password);
  const noPassword = request.options?.noPassword ?? false;
  if (auth.user(name) !== null) throw EtcdError.of('userExists');
  if (auth.userCount >= limits.authUsersMax) throw EtcdError.of('tooManyUsers');
  auth.raiseRevision();
  const passwordHash = noPassword ? '' : hashedPassword;
  auth.putUser({ name, passwordHash, noPassword, roles: [], passwordRevision: auth.revision });
  return create(AuthUserAddResponseSchema);
}

/** Its tokens die with the user. */
export function deleteUser(auth: Auth, tokens: Tokens, { name }: AuthUserDeleteRequest) {
  if (auth.enabled && name === ROOT) throw EtcdError.of('invalidAuthManagement');
  userOf(auth, name);
  auth.removeUser(name);
  tokens.removeOf(name);
  auth.raiseRevision();
  return create(AuthUserDeleteResponseSchema);
}

/** Tokens that were had for the old password are good no more. */
export function changePassword(auth: Auth, tokens: Tokens, request: AuthUserChangePasswordRequest) {
  const { name, hashedPassword } = request;
  refuseClearText(request.password);
  validatePasswordHash(hashedPassword);
  const user = userOf(auth, name);
  auth.raiseRevision();
  const passwordHash = user.noPassword ? '' : hashedPassword;
  auth.putUser({ ...user, passwordHash, passwordRevision: auth.revision });
  tokens.removeOf(name);
  return create(AuthUserChangePasswordResponseSchema);
}

/** The role root can be had without having been made. Granting a role twice changes nothing. */
export function grantRole(auth: Auth, { user: name, role }: AuthUserGrantRoleRequest) {
  const user = userOf(auth, name);
  if (role !== ROOT) roleOf(auth, role);
  if (!user.roles.includes(role)) {
    if (user.roles.length >= limits.authRolesPerUserMax) throw EtcdError.of('tooManyRolesOfUser');
    auth.putUser({ ...user, roles: [...user.roles, role].sort() });
    auth.raiseRevision();
  }
  return create(AuthUserGrantRoleResponseSchema);
}

export function revokeRole(auth: Auth, { name, role }: AuthUserRevokeRoleRequest) {
  if (auth.enabled && name === ROOT && role === ROOT) throw EtcdError.of('invalidAuthManagement');
  const user = userOf(auth, name);
  if (!user.roles.includes(role)) throw EtcdError.of('roleNotGranted');
  auth.putUser(without(user, role));
  auth.raiseRevision();
  return create(AuthUserRevokeRoleResponseSchema);
}

export function addRole(auth: Auth, request: AuthRoleAddRequest) {
  validateRoleAdd(request);
  const { name } = request;
  if (auth.role(name) !== null) throw EtcdError.of('roleExists');
  if (auth.roleCount >= limits.authRolesMax) throw EtcdError.of('tooManyRoles');
  auth.putRole({ name, permissions: [] });
  auth.raiseRevision();
  return create(AuthRoleAddResponseSchema);
}

/** Takes the role from all who have it. */
export function deleteRole(auth: Auth, { role: name }: AuthRoleDeleteRequest) {
  if (auth.enabled && name === ROOT) throw EtcdError.of('invalidAuthManagement');
  roleOf(auth, name);
  for (const user of [...auth.users()]) {
    if (user.roles.includes(name)) auth.putUser(without(user, name));
  }
  auth.removeRole(name);
  auth.raiseRevision();
  return create(AuthRoleDeleteResponseSchema);
}

/** A permission on the same key and end takes the place of the one before. */
export function grantPermission(auth: Auth, request: AuthRoleGrantPermissionRequest) {
  validatePermission(request);
  const { permType, key, rangeEnd } = must(request.perm, 'has been validated');
  const role = roleOf(auth, request.name);
  const others = role.permissions.filter((other) => !isSameRange(other, { key, rangeEnd }));
  if (others.length >= limits.authPermissionsPerRoleMax) throw EtcdError.of('tooManyPermissions');
  const granted = { permType, key: ownBytes(key), rangeEnd: ownBytes(rangeEnd) };
  auth.putRole({ ...role, permissions: [...others, granted].sort(byKey) });
  auth.raiseRevision();
  return create(AuthRoleGrantPermissionResponseSchema);
}

export function revokePermission(auth: Auth, request: AuthRoleRevokePermissionRequest) {
  const role = roleOf(auth, request.role);
  const permissions = role.permissions.filter((other) => !isSameRange(other, request));
  if (permissions.length === role.permissions.length) throw EtcdError.of('permissionNotGranted');
  auth.putRole({ ...role, permissions });
  auth.raiseRevision();
  return create(AuthRoleRevokePermissionResponseSchema);
}

function userOf(auth: Auth, name: string): User {
  const user = auth.user(name);
  if (user === null) throw EtcdError.of('userNotFound');
  return user;
}

function roleOf(auth: Auth, name: string): Role {
  const role = auth.role(name);
  if (role === null) throw EtcdError.of('roleNotFound');
  return role;
}

function without(user: User, role: string): User {
  return { ...user, roles: user.roles.filter((other) => other !== role) };
}

type Range = Pick<KeyPermission, 'key' | 'rangeEnd'>;

function isSameRange(a: Range, b: Range): boolean {
  return equalBytes(a.key, b.key) && equalBytes(a.rangeEnd, b.rangeEnd);
}

function byKey(a: Range, b: Range): number {
  return compareBytes(a.key, b.key) || compareBytes(a.rangeEnd, b.rangeEnd);
}

/** The member that was asked has made a hash of it: the log must never hold it. */
function refuseClearText(password: string): void {
  if (password !== '') throw EtcdError.of('internal');
}
