import type { Calls } from './calls.ts';
import type { Bytes, EncodedRange, KeyRange } from './key_space.ts';
import { KeySpace } from './key_space.ts';
import type { CallOptions } from './options.ts';

/** What a permission allows. */
export type PermissionKind = 'Read' | 'Write' | 'Readwrite';

/** Which keys a permission is for: one, those that begin so, a range, or all. */
export type PermissionScope =
  | { readonly key: Bytes }
  | { readonly prefix: Bytes }
  | { readonly range: KeyRange }
  | { readonly all: true };

/** A permission of a role. */
export interface RolePermission {
  /** What it allows. */
  readonly permission: PermissionKind;
  /** The key that it is for, or the first one. */
  readonly key: Uint8Array;
  /** Empty: it is for the one key. */
  readonly rangeEnd: Uint8Array;
}

/** Users, roles, and whether anybody asks for them. */
export class Auth {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** From now on calls need a user. There must be a user root with the role root. */
  async enable(options?: CallOptions): Promise<void> {
    await this.#calls.unary('/v3/auth/enable', {}, options);
  }

  /** From now on everybody may do everything. */
  async disable(options?: CallOptions): Promise<void> {
    await this.#calls.unary('/v3/auth/disable', {}, options);
  }

  /** Whether calls need a user. */
  async enabled(options?: CallOptions): Promise<boolean> {
    return (await this.#calls.unary('/v3/auth/status', {}, options)).enabled;
  }

  /** A user, who may or may not exist. */
  user(name: string): User {
    return new User(this.#calls, name);
  }

  /** The names of all users. */
  async users(options?: CallOptions): Promise<readonly string[]> {
    return (await this.#calls.unary('/v3/auth/user/list', {}, options)).users;
  }

  /** A role, which may or may not exist. */
  role(name: string): Role {
    return new Role(this.#calls, name);
  }

  /** The names of all roles. */
  async roles(options?: CallOptions): Promise<readonly string[]> {
    return (await this.#calls.unary('/v3/auth/role/list', {}, options)).roles;
  }
}

/** One user. */
export class User {
  readonly name: string;
  readonly #calls: Calls;

  constructor(calls: Calls, name: string) {
    this.#calls = calls;
    this.name = name;
  }

  /** Makes the user. */
  async create(password: string, options?: CallOptions): Promise<void> {
    await this.#calls.unary('/v3/auth/user/add', { name: this.name, password }, options);
  }

  /** The user exists no more. */
  async delete(options?: CallOptions): Promise<void> {
    await this.#calls.unary('/v3/auth/user/delete', { name: this.name }, options);
  }

  /** Another password. Tokens that were had for the old one end. */
  async setPassword(password: string, options?: CallOptions): Promise<void> {
    await this.#calls.unary('/v3/auth/user/changepw', { name: this.name, password }, options);
  }

  /** The names of the roles that the user has. */
  async roles(options?: CallOptions): Promise<readonly string[]> {
    return (await this.#calls.unary('/v3/auth/user/get', { name: this.name }, options)).roles;
  }

  /** The user may do what the role may. */
  async addRole(role: string, options?: CallOptions): Promise<void> {
    await this.#calls.unary('/v3/auth/user/grant', { user: this.name, role }, options);
  }

  /** And not any more. */
  async removeRole(role: string, options?: CallOptions): Promise<void> {
    await this.#calls.unary('/v3/auth/user/revoke', { name: this.name, role }, options);
  }
}

/** One role. */
export class Role {
  readonly name: string;
  readonly #calls: Calls;

  constructor(calls: Calls, name: string) {
    this.#calls = calls;
    this.name = name;
  }

  /** Makes the role. */
  async create(options?: CallOptions): Promise<void> {
    await this.#calls.unary('/v3/auth/role/add', { name: this.name }, options);
  }

  /** The role exists no more. */
  async delete(options?: CallOptions): Promise<void> {
    await this.#calls.unary('/v3/auth/role/delete', { role: this.name }, options);
  }

  /** What the role may do. */
  async permissions(options?: CallOptions): Promise<readonly RolePermission[]> {
    const { perm } = await this.#calls.unary('/v3/auth/role/get', { role: this.name }, options);
    return perm.map(({ permType, key, rangeEnd }) => ({
      permission: KINDS[permType],
      key,
      rangeEnd,
    }));
  }

  /** Allows something with those keys. */
  async grant(
    permission: PermissionKind,
    scope: PermissionScope,
    options?: CallOptions,
  ): Promise<void> {
    const perm = { permType: TYPES[permission], ...encodedScope(scope) };
    await this.#calls.unary('/v3/auth/role/grant', { name: this.name, perm }, options);
  }

  /** Takes back what was allowed with exactly those keys. */
  async revoke(scope: PermissionScope, options?: CallOptions): Promise<void> {
    const request = { role: this.name, ...encodedScope(scope) };
    await this.#calls.unary('/v3/auth/role/revoke', request, options);
  }
}

const TYPES = { Read: 'READ', Write: 'WRITE', Readwrite: 'READWRITE' } as const;
const KINDS = { READ: 'Read', WRITE: 'Write', READWRITE: 'Readwrite' } as const;

function encodedScope(scope: PermissionScope): EncodedRange {
  const space = new KeySpace(new Uint8Array(0));
  if ('key' in scope) return space.key(scope.key);
  if ('prefix' in scope) return space.prefix(scope.prefix);
  return 'range' in scope ? space.range(scope.range) : space.all;
}
