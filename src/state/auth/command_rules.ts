import type { Caller } from '../../api/caller.ts';
import { EtcdError } from '../../api/error.ts';
import type { Command } from '../../api/gen/command_pb.ts';
import type { Authorizer } from './authorizer.ts';

type Request = Command['request'];
type Case = NonNullable<Request['case']>;
type RequestOf<C extends Case> = Extract<Request, { case: C }>['value'];

/** Returns when the caller may give this command, throws why not. */
type Rule<C extends Case> = (authorizer: Authorizer, caller: Caller, request: RequestOf<C>) => void;

type AnyRule = (authorizer: Authorizer, caller: Caller) => void;

const user: AnyRule = (authorizer, caller) => authorizer.checkUser(caller);
const admin: AnyRule = (authorizer, caller) => authorizer.checkAdmin(caller);

/** Members alone say this, of themselves: their commands are not asked about (Caller.internal). */
const member: AnyRule = () => {
  throw EtcdError.of('permissionDenied');
};

/**
 * Who may give which command while authentication is on: one line for each, and none without. (Who
 * may read, and what goes past the log, is in member/auth/method_rules.ts.)
 */
const RULES: { readonly [C in Case]: Rule<C> } = {
  put: (authorizer, caller, request) => authorizer.checkPut(caller, request),
  deleteRange: (authorizer, caller, request) => authorizer.checkDeleteRange(caller, request),
  txn: (authorizer, caller, request) => authorizer.checkTxn(caller, request),
  compaction: admin,

  leaseGrant: user,
  leaseRevoke: (authorizer, caller, { ID }) => authorizer.checkLeaseKeys(caller, ID, 'write'),

  leaseExpire: member,

  memberAdd: admin,
  memberRemove: admin,
  memberPromote: admin,
  memberUpdate: admin,
  memberPublish: member,

  alarm: admin,
  downgradeInfoSet: admin,
  clusterVersionSet: member,

  authEnable: admin,
  authDisable: admin,
  authUserAdd: admin,
  authUserDelete: admin,
  authUserChangePassword: admin,
  authUserGrantRole: admin,
  authUserRevokeRole: admin,
  authRoleAdd: admin,
  authRoleDelete: admin,
  authRoleGrantPermission: admin,
  authRoleRevokePermission: admin,
  authLogin: member,
  authTokenRenew: member,
  authTokensExpire: member,
  authBootstrap: member,

  // v2 has users and roles of its own, which its commands name.
  v2Change: member,
  v2Expire: member,
  v2UserPut: member,
  v2UserDelete: member,
  v2RolePut: member,
  v2RoleDelete: member,
  v2AuthSwitch: member,
};

/** @throws EtcdError why the caller may not */
export function authorize(authorizer: Authorizer, caller: Caller, request: Request): void {
  if (!authorizer.enabled || caller.internal || request.case === undefined) return;
  // One rule for each case: the table is indexed by the case of the request it is given.
  const rule = RULES[request.case] as Rule<Case>;
  rule(authorizer, caller, request.value);
}
