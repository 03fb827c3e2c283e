import { create } from '@bufbuild/protobuf';
import { EtcdError } from '../../api/error.ts';
import type { AuthBootstrap } from '../../api/gen/command_pb.ts';
import { AuthDisableResponseSchema, AuthEnableResponseSchema } from '../../api/gen/rpc_pb.ts';
import type { Auth } from './auth.ts';
import { ROOT } from './permissions.ts';
import type { Tokens } from './tokens.ts';

/** Somebody must be left who can turn it off again: the user root with the role root. */
export function enable(auth: Auth) {
  if (!auth.enabled) {
    const root = auth.user(ROOT);
    if (root === null) throw EtcdError.of('rootUserNotExist');
    if (!root.roles.includes(ROOT)) throw EtcdError.of('rootRoleNotGranted');
    auth.setEnabled(true);
  }
  return create(AuthEnableResponseSchema);
}

/** All tokens end. The revision rises, so that none that was signed outlives it either. */
export function disable(auth: Auth, tokens: Tokens) {
  if (auth.enabled) {
    auth.setEnabled(false);
    tokens.removeAll();
    auth.raiseRevision();
  }
  return create(AuthDisableResponseSchema);
}

/**
 * The operator's way into a cluster that nobody could get into yet. Once only: an operator who has
 * turned authentication off meant it, and a root user who is there keeps its password.
 */
export function bootstrap(auth: Auth, { rootHash }: AuthBootstrap) {
  if (auth.everEnabled) return {};
  auth.raiseRevision();
  if (auth.role(ROOT) === null) auth.putRole({ name: ROOT, permissions: [] });
  const root = auth.user(ROOT) ?? {
    name: ROOT,
    passwordHash: rootHash,
    noPassword: false,
    roles: [],
    passwordRevision: auth.revision,
  };
  auth.putUser({ ...root, roles: [...new Set([...root.roles, ROOT])].sort() });
  auth.setEnabled(true);
  return {};
}
