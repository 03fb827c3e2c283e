import { Permission_Type } from '../../api/gen/auth_pb.ts';
import { EMPTY_BYTES } from '../../lib/bytes.ts';
import { keyRangeOf } from '../key_range.ts';
import { KeySet } from './key_set.ts';
import type { KeyPermission, Role, User } from './records.ts';

/** The user, and the role, that may do everything. */
export const ROOT = 'root';

/** How the role root is shown: what is granted to it does not matter. */
export const ROOT_PERMISSION: KeyPermission = {
  permType: Permission_Type.READWRITE,
  key: EMPTY_BYTES,
  rangeEnd: new Uint8Array(1),
};

/** What a user may do: the union of the permissions of its roles. */
export interface Permissions {
  readonly isRoot: boolean;
  readonly read: KeySet;
  readonly write: KeySet;
}

/** @param roleOf the role of a name; null: it was deleted, and allows nothing */
export function permissionsOf(user: User, roleOf: (name: string) => Role | null): Permissions {
  const granted = user.roles.flatMap((name) => roleOf(name)?.permissions ?? []);
  const reading = granted.filter(({ permType }) => permType !== Permission_Type.WRITE);
  const writing = granted.filter(({ permType }) => permType !== Permission_Type.READ);
  return {
    isRoot: user.roles.includes(ROOT),
    read: keySetOf(reading),
    write: keySetOf(writing),
  };
}

function keySetOf(permissions: readonly KeyPermission[]): KeySet {
  return new KeySet(permissions.map(({ key, rangeEnd }) => keyRangeOf(key, rangeEnd)));
}
