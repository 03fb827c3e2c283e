import { Code, EtcdError } from '../error.ts';

/** What is wrong with a request about users and roles of v2: the HTTP status and etcd's text. */
export const V2_AUTH_ERRORS = {
  userUnknown: [404, 'User %s does not exist.'],
  userUnknownAtDelete: [404, 'User %s does not exist'],
  userExists: [409, 'User %s already exists.'],
  userWithoutPassword: [400, 'Cannot create user %s with an empty password'],
  userNotChanged: [400, 'User not updated. Use grant/revoke/password to update the user.'],
  rootInUse: [403, 'Cannot delete root user while auth is enabled.'],
  roleGrantedTwice: [409, 'Granting duplicate role %s for user %s'],
  roleNotGranted: [409, 'Revoking ungranted role %s for user %s'],
  roleUnknown: [404, 'Role %s does not exist.'],
  roleUnknownAtDelete: [404, "Role %s doesn't exist."],
  roleExists: [409, 'Role %s already exists.'],
  roleIsRoot: [403, 'Cannot modify role %s: is root role.'],
  roleNotChanged: [400, 'Role not updated. Use grant/revoke to update the role.'],
  readGrantedTwice: [409, 'Granting duplicate read permission %s'],
  writeGrantedTwice: [409, 'Granting duplicate write permission %s'],
  alreadyEnabled: [409, 'already enabled'],
  alreadyDisabled: [409, 'already disabled'],
  noRootUser: [409, 'No root user available, please create one'],
  tooLarge: [400, 'the name, password, role or permission is too long'],
} as const satisfies Record<string, readonly [status: number, text: string]>;

export type V2AuthErrorName = keyof typeof V2_AUTH_ERRORS;

export class V2AuthError extends EtcdError {
  readonly status: number;

  constructor(name: V2AuthErrorName, ...about: readonly string[]) {
    const [status, text] = V2_AUTH_ERRORS[name];
    let at = 0;
    super(Code.unknown, `auth: ${text.replace(/%s/g, () => about[at++] ?? '')}`);
    this.status = status;
  }
}
