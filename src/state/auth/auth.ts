import { limits } from '../../config.ts';
import { EMPTY_BYTES } from '../../lib/bytes.ts';
import { Cache } from '../cache.ts';
import type { Journal } from '../journal.ts';
import { prefixRange } from '../key_range.ts';
import { OverlayTable } from '../overlay_table.ts';
import { BYTES_CODEC } from '../row_codec.ts';
import type { StateStore } from '../store.ts';
import { type Permissions, permissionsOf } from './permissions.ts';
import {
  type AuthConfig,
  CONFIG_KEY,
  decodeConfig,
  decodeRole,
  decodeUser,
  encodeConfig,
  encodeRole,
  encodeUser,
  ROLES_PREFIX,
  type Role,
  roleKey,
  USERS_PREFIX,
  type User,
  userKey,
} from './records.ts';

/** A store that nobody has touched: revision 1, as etcd's. */
const INITIAL: AuthConfig = { enabled: false, everEnabled: false, revision: 1 };

/** What may be asked about users and roles by who must not change them. */
export type AuthReader = Pick<
  Auth,
  'enabled' | 'everEnabled' | 'revision' | 'user' | 'role' | 'users' | 'roles'
>;

/** Users, roles, their permissions, and whether any of it is asked for. */
export class Auth {
  readonly table: OverlayTable<Uint8Array>;
  readonly #journal: Journal;
  #config: AuthConfig;
  /** Asked for at every command: a field of its own. */
  #enabled: boolean;
  /** Of this auth revision, by user. A cache: no decision depends on what is in it. */
  readonly #permissions = new Cache<Permissions>(
    limits.authPermissionCacheUsersMax,
    Number.POSITIVE_INFINITY,
  );

  constructor(store: StateStore, journal: Journal) {
    this.table = new OverlayTable(store, 'auth', BYTES_CODEC, journal);
    this.#journal = journal;
    const row = this.table.get(CONFIG_KEY);
    this.#config = row === null ? INITIAL : decodeConfig(row);
    this.#enabled = this.#config.enabled;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  get everEnabled(): boolean {
    return this.#config.everEnabled;
  }

  /** Counts the changes of users, roles and permissions, and the ends of authentication. */
  get revision(): number {
    return this.#config.revision;
  }

  setEnabled(enabled: boolean): void {
    const everEnabled = this.#config.everEnabled || enabled;
    this.#configure({ ...this.#config, enabled, everEnabled });
  }

  /** Ends a change: what was found out before it is old now. */
  raiseRevision(): void {
    this.#configure({ ...this.#config, revision: this.#config.revision + 1 });
  }

  user(name: string): User | null {
    const row = this.table.get(userKey(name));
    return row === null ? null : decodeUser(row);
  }

  role(name: string): Role | null {
    const row = this.table.get(roleKey(name));
    return row === null ? null : decodeRole(row);
  }

  /** All users, by name. */
  *users(): Generator<User> {
    for (const { value } of this.table.entries(prefixRange(USERS_PREFIX))) yield decodeUser(value);
  }

  /** All roles, by name. */
  *roles(): Generator<Role> {
    for (const { value } of this.table.entries(prefixRange(ROLES_PREFIX))) yield decodeRole(value);
  }

  get userCount(): number {
    return this.table.count(prefixRange(USERS_PREFIX));
  }

  get roleCount(): number {
    return this.table.count(prefixRange(ROLES_PREFIX));
  }

  putUser(user: User): void {
    this.#set(userKey(user.name), encodeUser(user));
  }

  removeUser(name: string): void {
    this.#set(userKey(name), null);
  }

  putRole(role: Role): void {
    this.#set(roleKey(role.name), encodeRole(role));
  }

  removeRole(name: string): void {
    this.#set(roleKey(name), null);
  }

  /** What a user may do; null: there is no such user. */
  permissionsOf(name: string): Permissions | null {
    const known = this.#permissions.get(name);
    if (known !== undefined) return known;
    const user = this.user(name);
    if (user === null) return null;
    const permissions = permissionsOf(user, (role) => this.role(role));
    this.#permissions.set(name, permissions, 0);
    return permissions;
  }

  #set(key: Uint8Array, row: Uint8Array | null): void {
    const before = this.table.get(key);
    this.#journal.note(() => this.#permissions.clear());
    this.table.set(key, row, before && EMPTY_BYTES);
    this.#permissions.clear();
  }

  #configure(config: AuthConfig): void {
    const before = this.#config;
    this.#journal.note(() => this.#adopt(before));
    this.table.set(CONFIG_KEY, encodeConfig(config), this.table.get(CONFIG_KEY));
    this.#adopt(config);
  }

  #adopt(config: AuthConfig): void {
    this.#config = config;
    this.#enabled = config.enabled;
  }
}
