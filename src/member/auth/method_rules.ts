/**
 * What a method asks of its caller before anything else, while authentication is on:
 *
 * - anyone: nothing, the method is how callers make themselves known
 * - user: to be somebody
 * - admin: the role root. What goes through the log is asked again at apply
 * - maintenance: the same, in the words that etcd has for it there
 * - later: to be somebody, asked where the keys are, so that errors come in the method's own form
 *   (a watch that is cancelled, a lock's error without a code)
 */
export type MethodRule = 'anyone' | 'user' | 'admin' | 'maintenance' | 'later';

/**
 * By service and method, every one of them (a test compares the table with the API). Commands have
 * theirs in state/auth/command_rules.ts; the keys of ranges, of watches and of leases are looked at
 * in state/auth/authorizer.ts.
 */
const RULES: Readonly<Record<string, Readonly<Record<string, MethodRule>>>> = {
  'etcdserverpb.KV': {
    Range: 'later', // READ on the keys
    Put: 'later', // WRITE on the key and those of its lease; READ for the value before
    DeleteRange: 'later', // WRITE; READ for the values before
    Txn: 'later', // all of that, in compares, both branches, and what is nested
    Compact: 'admin',
  },
  'etcdserverpb.Watch': {
    Watch: 'later', // READ on the whole range, when it is created
  },
  'etcdserverpb.Lease': {
    LeaseGrant: 'user',
    LeaseRevoke: 'user', // and WRITE on the keys that end with it
    LeaseKeepAlive: 'user', // and WRITE on them
    LeaseTimeToLive: 'user', // and READ on them, if they are asked for
    LeaseLeases: 'user', // and READ on all keys
  },
  'etcdserverpb.Cluster': {
    MemberAdd: 'admin',
    MemberRemove: 'admin',
    MemberUpdate: 'admin',
    MemberList: 'user',
    MemberPromote: 'admin',
  },
  'etcdserverpb.Maintenance': {
    Alarm: 'user', // raising and lowering: admin
    Status: 'user',
    Defragment: 'maintenance',
    Hash: 'maintenance',
    HashKV: 'maintenance',
    Snapshot: 'maintenance',
    MoveLeader: 'admin',
    Downgrade: 'admin',
  },
  'etcdserverpb.Auth': {
    Authenticate: 'anyone',
    AuthEnable: 'admin',
    AuthDisable: 'admin',
    AuthStatus: 'admin',
    UserAdd: 'admin',
    UserGet: 'user', // its own record; others: admin
    UserList: 'admin',
    UserDelete: 'admin',
    UserChangePassword: 'admin',
    UserGrantRole: 'admin',
    UserRevokeRole: 'admin',
    RoleAdd: 'admin',
    RoleGet: 'user', // a role that it has; others: admin
    RoleList: 'admin',
    RoleDelete: 'admin',
    RoleGrantPermission: 'admin',
    RoleRevokePermission: 'admin',
  },
  // Built on KV and leases: they do what their caller may do there.
  'v3lockpb.Lock': { Lock: 'later', Unlock: 'later' },
  'v3electionpb.Election': {
    Campaign: 'later',
    Proclaim: 'later',
    Leader: 'later',
    Observe: 'later',
    Resign: 'later',
  },
};

/** A method without a rule is not served to anybody less. */
export function methodRule(service: string, name: string): MethodRule {
  return RULES[service]?.[name] ?? 'admin';
}

/** The rules, for whoever compares them with the API. */
export function ruledMethods(): string[] {
  return Object.entries(RULES).flatMap(([service, methods]) =>
    Object.keys(methods).map((name) => `${service}/${name}`),
  );
}
