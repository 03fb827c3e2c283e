import { EtcdError } from '../../api/error.ts';
import { type Permission, Permission_Type } from '../../api/gen/auth_pb.ts';
import type {
  AuthRoleAddRequest,
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
} from '../../api/gen/rpc_pb.ts';
import { limits } from '../../config.ts';
import { utf8 } from '../../lib/bytes.ts';
import { isEmptyRange, keyRangeOf } from '../key_range.ts';

/** What is wrong with a request by itself. All throw an EtcdError. */

export function validateUserAdd({ name, hashedPassword }: AuthUserAddRequest): void {
  if (name === '') throw EtcdError.of('userEmpty');
  validateName(name);
  validatePasswordHash(hashedPassword);
}

export function validateRoleAdd({ name }: AuthRoleAddRequest): void {
  if (name === '') throw EtcdError.of('roleEmpty');
  validateName(name);
}

/** Long enough for any algorithm; a name or a hash is a part of rows that are read often. */
export function validatePasswordHash(hash: string): void {
  if (hash.length > limits.authHashCharsMax) throw EtcdError.of('passwordHashUnknown');
}

/** A permission on a key, or on a range that may have one. */
export function validatePermission({ perm }: AuthRoleGrantPermissionRequest): void {
  if (perm === undefined) throw EtcdError.of('permissionNotGiven');
  if (!isValidPermission(perm)) throw EtcdError.of('invalidAuthManagement');
}

function isValidPermission({ permType, key, rangeEnd }: Permission): boolean {
  return (
    key.length > 0 &&
    Math.max(key.length, rangeEnd.length) <= limits.authPermissionKeyBytesMax &&
    !isEmptyRange(keyRangeOf(key, rangeEnd)) &&
    Permission_Type[permType] !== undefined
  );
}

function validateName(name: string): void {
  if (utf8(name).length > limits.authNameBytesMax) throw EtcdError.of('authNameTooLong');
}
