import { AUTH_ROOT } from './path.ts';
import type { V2Reader } from './store.ts';

/** v2's users and roles, which have nothing to do with those of v3. */

export const ROOT = 'root';
export const GUEST = 'guest';

export const ENABLED_PATH = `${AUTH_ROOT}/enabled`;
export const USERS_PATH = `${AUTH_ROOT}/users`;
export const ROLES_PATH = `${AUTH_ROOT}/roles`;

export interface V2User {
  readonly name: string;
  readonly passwordHash: string;
  /** Sorted once they have been changed; null: none was ever named. */
  readonly roles: readonly string[] | null;
}

/** Paths, or with `*` at the end prefixes of paths; null: none was ever named. */
export interface V2Permits {
  readonly read: readonly string[] | null;
  readonly write: readonly string[] | null;
}

export interface V2Role {
  readonly name: string;
  readonly permits: V2Permits;
}

const EVERYTHING: V2Permits = { read: ['/*'], write: ['/*'] };
/** It needs no row, and none can take its place. */
const ROOT_ROLE: V2Role = { name: ROOT, permits: EVERYTHING };
/** What guests get when authentication is enabled, until somebody takes it away. */
export const GUEST_ROLE: V2Role = { name: GUEST, permits: EVERYTHING };

/** A request as far as it matters whether it may be made. */
export interface V2Access {
  /** As clients name it: `/a/b`. */
  readonly key: string;
  readonly isWrite: boolean;
  readonly recursive: boolean;
}

/** Who may do what, by the tree as it is. */
export class V2Accounts {
  readonly #reader: Pick<V2Reader, 'file' | 'names'>;

  constructor(reader: Pick<V2Reader, 'file' | 'names'>) {
    this.#reader = reader;
  }

  get enabled(): boolean {
    return this.#reader.file(ENABLED_PATH) === 'true';
  }

  userNames(): string[] {
    return this.#reader.names(USERS_PATH);
  }

  /** The root role among them, which is always there. */
  roleNames(): string[] {
    return [...this.#reader.names(ROLES_PATH), ROOT].sort();
  }

  user(name: string): V2User | null {
    const text = this.#reader.file(`${USERS_PATH}/${name}`);
    if (text === null) return null;
    const { password, roles } = JSON.parse(text) as { password: string; roles: string[] | null };
    const isRoot = name === ROOT && !roles?.includes(ROOT);
    return { name, passwordHash: password, roles: isRoot ? [...(roles ?? []), ROOT] : roles };
  }

  role(name: string): V2Role | null {
    if (name === ROOT) return ROOT_ROLE;
    const text = this.#reader.file(`${ROLES_PATH}/${name}`);
    return text === null ? null : { name, permits: JSON.parse(text) as V2Permits };
  }

  /** @param user empty: a guest */
  mayAccess(user: string, access: V2Access): boolean {
    if (!this.enabled) return true;
    const roles = user === '' ? [GUEST] : (this.user(user)?.roles ?? []);
    return roles.some((name) => {
      const role = this.role(name);
      return role !== null && permits(role, access);
    });
  }

  mayAdministrate(user: string): boolean {
    return !this.enabled || (user !== '' && this.user(user)?.roles?.includes(ROOT) === true);
  }
}

export function encodeUser({ passwordHash, roles }: V2User): string {
  return JSON.stringify({ password: passwordHash, roles });
}

export function encodeRole({ permits: { read, write } }: V2Role): string {
  return JSON.stringify({ read, write });
}

function permits({ name, permits: { read, write } }: V2Role, access: V2Access): boolean {
  if (name === ROOT) return true;
  const patterns = (access.isWrite ? write : read) ?? [];
  return patterns.some((pattern) => covers(pattern, access));
}

/** Who asks for a whole tree needs a prefix. */
function covers(pattern: string, { key, recursive }: V2Access): boolean {
  if (pattern.endsWith('*')) return key.startsWith(pattern.slice(0, -1));
  return !recursive && key === pattern;
}
