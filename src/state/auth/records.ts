import { Permission_Type } from '../../api/gen/auth_pb.ts';
import { BinaryReader, BinaryWriter } from '../../lib/binary.ts';
import { utf8 } from '../../lib/bytes.ts';

export interface User {
  readonly name: string;
  /** Algorithm, cost, salt and digest in one text; empty: no password fits. */
  readonly passwordHash: string;
  readonly noPassword: boolean;
  /** Names, sorted. */
  readonly roles: readonly string[];
  /** The auth revision at which the password was set: a new hash of the same one keeps it. */
  readonly passwordRevision: number;
}

/** What a role allows on a key, or on the keys from `key` up to `rangeEnd`. */
export interface KeyPermission {
  readonly permType: Permission_Type;
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

export interface Role {
  readonly name: string;
  /** By key and end. */
  readonly permissions: readonly KeyPermission[];
}

/** What there is to know besides users and roles. */
export interface AuthConfig {
  readonly enabled: boolean;
  /** Whether it ever was: the way into a closed deployment opens once. */
  readonly everEnabled: boolean;
  /** Counts the changes of users, roles and permissions. */
  readonly revision: number;
}

/** Kinds of rows of the table auth, as the first byte of their keys. */
const CONFIG_ROW = 0;
const USER_ROWS = 1;
const ROLE_ROWS = 2;

export const CONFIG_KEY = Uint8Array.of(CONFIG_ROW);
export const USERS_PREFIX = Uint8Array.of(USER_ROWS);
export const ROLES_PREFIX = Uint8Array.of(ROLE_ROWS);

export function userKey(name: string): Uint8Array {
  return rowKey(USER_ROWS, name);
}

export function roleKey(name: string): Uint8Array {
  return rowKey(ROLE_ROWS, name);
}

function rowKey(kind: number, name: string): Uint8Array {
  const text = utf8(name);
  const key = new Uint8Array(1 + text.length);
  key[0] = kind;
  key.set(text, 1);
  return key;
}

export function encodeConfig({ enabled, everEnabled, revision }: AuthConfig): Uint8Array {
  const flags = (enabled ? 1 : 0) + (everEnabled ? 2 : 0);
  return new BinaryWriter(16).varint(flags).varint(revision).finish();
}

export function decodeConfig(row: Uint8Array): AuthConfig {
  const reader = new BinaryReader(row);
  const flags = reader.varint();
  return { enabled: flags % 2 === 1, everEnabled: flags >= 2, revision: reader.varint() };
}

export function encodeUser(user: User): Uint8Array {
  const writer = new BinaryWriter(256)
    .text(user.name)
    .text(user.passwordHash)
    .varint(user.noPassword ? 1 : 0)
    .varint(user.passwordRevision)
    .varint(user.roles.length);
  for (const role of user.roles) writer.text(role);
  return writer.finish();
}

export function decodeUser(row: Uint8Array): User {
  const reader = new BinaryReader(row);
  return {
    name: reader.text(),
    passwordHash: reader.text(),
    noPassword: reader.varint() === 1,
    passwordRevision: reader.varint(),
    roles: Array.from({ length: reader.varint() }, () => reader.text()),
  };
}

export function encodeRole({ name, permissions }: Role): Uint8Array {
  const writer = new BinaryWriter(256).text(name).varint(permissions.length);
  for (const { permType, key, rangeEnd } of permissions) {
    writer.varint(permType).bytes(key).bytes(rangeEnd);
  }
  return writer.finish();
}

export function decodeRole(row: Uint8Array): Role {
  const reader = new BinaryReader(row);
  return {
    name: reader.text(),
    permissions: Array.from({ length: reader.varint() }, () => ({
      permType: permTypeOf(reader.varint()),
      key: reader.bytes().slice(),
      rangeEnd: reader.bytes().slice(),
    })),
  };
}

/** Numbers outside the enumeration never get here: a grant of one is refused. */
function permTypeOf(number: number): Permission_Type {
  if (number === Permission_Type.WRITE) return Permission_Type.WRITE;
  return number === Permission_Type.READWRITE ? Permission_Type.READWRITE : Permission_Type.READ;
}
