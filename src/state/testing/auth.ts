import { create } from '@bufbuild/protobuf';
import type { Caller } from '../../api/caller.ts';
import { encodeCommand } from '../../api/command.ts';
import { EtcdError } from '../../api/error.ts';
import { Permission_Type } from '../../api/gen/auth_pb.ts';
import { AuthLoginSchema, type Command } from '../../api/gen/command_pb.ts';
import {
  AuthDisableRequestSchema,
  AuthEnableRequestSchema,
  AuthRoleAddRequestSchema,
  AuthRoleDeleteRequestSchema,
  AuthRoleGrantPermissionRequestSchema,
  AuthRoleRevokePermissionRequestSchema,
  AuthUserAddRequestSchema,
  AuthUserChangePasswordRequestSchema,
  AuthUserDeleteRequestSchema,
  AuthUserGrantRoleRequestSchema,
  AuthUserRevokeRoleRequestSchema,
} from '../../api/gen/rpc_pb.ts';
import { must } from '../../lib/assert.ts';
import { utf8 } from '../../lib/bytes.ts';
import type { CommittedEntry } from '../machine.ts';
import type { ApplyResult } from '../result.ts';
import { Single } from './single.ts';

export const { READ, WRITE, READWRITE } = Permission_Type;

/** The commands of users and roles in a test's words. */
export const auth = {
  enable: (): Command['request'] => ({
    case: 'authEnable',
    value: create(AuthEnableRequestSchema),
  }),
  disable: (): Command['request'] => ({
    case: 'authDisable',
    value: create(AuthDisableRequestSchema),
  }),
  addUser: (name: string, hashedPassword = 'hash', noPassword = false): Command['request'] => ({
    case: 'authUserAdd',
    value: create(AuthUserAddRequestSchema, { name, hashedPassword, options: { noPassword } }),
  }),
  deleteUser: (name: string): Command['request'] => ({
    case: 'authUserDelete',
    value: create(AuthUserDeleteRequestSchema, { name }),
  }),
  changePassword: (name: string, hashedPassword: string): Command['request'] => ({
    case: 'authUserChangePassword',
    value: create(AuthUserChangePasswordRequestSchema, { name, hashedPassword }),
  }),
  grantRole: (user: string, role: string): Command['request'] => ({
    case: 'authUserGrantRole',
    value: create(AuthUserGrantRoleRequestSchema, { user, role }),
  }),
  revokeRole: (name: string, role: string): Command['request'] => ({
    case: 'authUserRevokeRole',
    value: create(AuthUserRevokeRoleRequestSchema, { name, role }),
  }),
  addRole: (name: string): Command['request'] => ({
    case: 'authRoleAdd',
    value: create(AuthRoleAddRequestSchema, { name }),
  }),
  deleteRole: (role: string): Command['request'] => ({
    case: 'authRoleDelete',
    value: create(AuthRoleDeleteRequestSchema, { role }),
  }),
  allow: (
    name: string,
    permType: Permission_Type,
    key: string,
    rangeEnd = '',
  ): Command['request'] => ({
    case: 'authRoleGrantPermission',
    value: create(AuthRoleGrantPermissionRequestSchema, {
      name,
      perm: { permType, key: utf8(key), rangeEnd: utf8(rangeEnd) },
    }),
  }),
  disallow: (role: string, key: string, rangeEnd = ''): Command['request'] => ({
    case: 'authRoleRevokePermission',
    value: create(AuthRoleRevokePermissionRequestSchema, {
      role,
      key: utf8(key),
      rangeEnd: utf8(rangeEnd),
    }),
  }),
  login: (fields: {
    name: string;
    passwordRevision: bigint;
    tokenDigest?: Uint8Array;
    upgradedHash?: string;
    ttlMs?: bigint;
  }): Command['request'] => ({ case: 'authLogin', value: create(AuthLoginSchema, fields) }),
};

/** One member's machine, and who asks it. */
export class Guarded extends Single {
  #proposals = 0;
  readonly log: CommittedEntry[] = [];

  /** A caller of that name as of now. */
  as(username: string): Caller {
    const authRevision = BigInt(this.machine.auth.revision);
    return { username, authRevision, internal: false };
  }

  /** Applies a command of a caller; without one, the member's own. */
  give(request: Command['request'], caller?: Caller, timeMs = 0): ApplyResult {
    const sequence = BigInt(++this.#proposals);
    const { username = '', authRevision = 0n, internal = true } = caller ?? {};
    const who = { username, authRevision, internal };
    const origin = { memberId: 'guarded', epoch: 1n, sequence, timeMs: BigInt(timeMs) };
    const data = encodeCommand({ ...origin, ...who, request });
    this.log.push({ index: this.machine.appliedIndex + 1, term: 1, data });
    return must(this.applyData(data), 'no result');
  }

  /** The message of the error, or null. */
  refusal(request: Command['request'], caller?: Caller, timeMs = 0): string | null {
    return this.give(request, caller, timeMs).error?.message ?? null;
  }

  /** Users and what they may do, and authentication enabled: root, and those that are named. */
  enable(users: Readonly<Record<string, readonly Parameters<typeof auth.allow>[]>>): void {
    for (const [name, permissions] of Object.entries(users)) {
      this.#must(auth.addUser(name));
      for (const permission of permissions) {
        const [role] = permission;
        if (this.machine.auth.role(role) === null) this.#must(auth.addRole(role));
        this.#must(auth.allow(...permission));
        this.#must(auth.grantRole(name, role));
      }
    }
    this.#must(auth.addUser('root'));
    this.#must(auth.grantRole('root', 'root'));
    this.#must(auth.enable());
  }

  #must(request: Command['request']): void {
    const { error } = this.give(request);
    if (error) throw error;
  }
}

/** The message of the error that something throws; null: it does not. */
export function refusalOf(work: () => unknown): string | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof EtcdError) return error.message;
    throw error;
  }
}
