/** gRPC status codes (google.rpc.Code). */
export const Code = {
  ok: 0,
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

/**
 * Every error that a client can be told, with etcd's text. The codes are those that arrive: a few
 * that etcd declares otherwise lose their code on the way to the client and arrive as `unknown`.
 */
export const ERRORS = {
  // Keys and values.
  keyNotProvided: [Code.invalidArgument, 'etcdserver: key is not provided'],
  keyNotFound: [Code.invalidArgument, 'etcdserver: key not found'],
  valueProvided: [Code.invalidArgument, 'etcdserver: value is provided'],
  leaseProvided: [Code.invalidArgument, 'etcdserver: lease is provided'],
  tooManyOps: [Code.invalidArgument, 'etcdserver: too many operations in txn request'],
  duplicateKey: [Code.invalidArgument, 'etcdserver: duplicate key given in txn request'],
  invalidSortOption: [Code.invalidArgument, 'etcdserver: invalid sort option'],
  compacted: [Code.outOfRange, 'etcdserver: mvcc: required revision has been compacted'],
  futureRevision: [Code.outOfRange, 'etcdserver: mvcc: required revision is a future revision'],
  noSpace: [Code.resourceExhausted, 'etcdserver: mvcc: database space exceeded'],
  corrupt: [Code.dataLoss, 'etcdserver: corrupt cluster'],

  // Leases.
  leaseNotFound: [Code.notFound, 'etcdserver: requested lease not found'],
  leaseExists: [Code.failedPrecondition, 'etcdserver: lease already exists'],
  leaseTtlTooLarge: [Code.outOfRange, 'etcdserver: too large lease TTL'],

  // The cluster's state.
  requestTooLarge: [Code.invalidArgument, 'etcdserver: request is too large'],
  tooManyRequests: [Code.resourceExhausted, 'etcdserver: too many requests'],
  noLeader: [Code.unavailable, 'etcdserver: no leader'],
  leaderChanged: [Code.unavailable, 'etcdserver: leader changed'],
  notLeader: [Code.failedPrecondition, 'etcdserver: not leader'],
  badLeaderTransferee: [Code.failedPrecondition, 'etcdserver: bad leader transferee'],
  notCapable: [Code.unavailable, 'etcdserver: not capable'],
  learnerUnsupported: [Code.unavailable, 'etcdserver: rpc not supported for learner'],
  timeout: [Code.unavailable, 'etcdserver: request timed out'],
  timeoutDueToLeaderFail: [
    Code.unavailable,
    'etcdserver: request timed out, possibly due to previous leader failure',
  ],
  timeoutDueToConnectionLost: [
    Code.unavailable,
    'etcdserver: request timed out, possibly due to connection lost',
  ],
  timeoutWaitAppliedIndex: [
    Code.unavailable,
    'etcdserver: request timed out, waiting for the applied index took too long',
  ],
  deadlineExceeded: [Code.deadlineExceeded, 'context deadline exceeded'],
  canceled: [Code.canceled, 'context canceled'],
  stopped: [Code.unavailable, 'etcdserver: server stopped'],
  internal: [Code.internal, 'etcdserver: internal error'],
  unreadableRequest: [Code.invalidArgument, 'grpc: error unmarshalling request'],
  invalidClientApiVersion: [Code.invalidArgument, 'etcdserver: invalid client api version'],

  // Membership.
  memberUrlsInvalid: [Code.invalidArgument, 'etcdserver: given member URLs are invalid'],
  memberElsewhere: [
    Code.invalidArgument,
    'edgetcd: all members are objects of this deployment: the peer URL has to be do://NAME',
  ],
  memberNotElsewhere: [
    Code.invalidArgument,
    'edgetcd: all members have deployments of their own: the peer URL has to be http or https',
  ],
  peerUrlExists: [Code.failedPrecondition, 'etcdserver: Peer URLs already exists'],
  memberExists: [Code.failedPrecondition, 'etcdserver: member ID already exist'],
  memberNotFound: [Code.notFound, 'etcdserver: member not found'],
  memberNotLearner: [Code.failedPrecondition, 'etcdserver: can only promote a learner member'],
  learnerNotReady: [
    Code.failedPrecondition,
    'etcdserver: can only promote a learner member which is in sync with leader',
  ],
  tooManyLearners: [Code.failedPrecondition, 'etcdserver: too many learner members in cluster'],
  unhealthyCluster: [Code.unavailable, 'etcdserver: unhealthy cluster'],
  // Declared as FailedPrecondition in etcd, which forgets to map it.
  notEnoughStartedMembers: [
    Code.unknown,
    'etcdserver: re-configuration failed due to not enough started members',
  ],

  // Downgrade.
  wrongDowngradeVersionFormat: [
    Code.invalidArgument,
    'etcdserver: wrong downgrade target version format',
  ],
  invalidDowngradeVersion: [Code.invalidArgument, 'etcdserver: invalid downgrade target version'],
  downgradeInProgress: [
    Code.failedPrecondition,
    'etcdserver: cluster has a downgrade job in progress',
  ],
  noInflightDowngrade: [Code.failedPrecondition, 'etcdserver: no inflight downgrade job'],
  clusterVersionUnavailable: [
    Code.unavailable,
    'etcdserver: cluster version not found during downgrade',
  ],

  // Authentication and authorization.
  rootUserNotExist: [Code.failedPrecondition, 'etcdserver: root user does not exist'],
  rootRoleNotGranted: [Code.failedPrecondition, 'etcdserver: root user does not have root role'],
  authNotEnabled: [Code.failedPrecondition, 'etcdserver: authentication is not enabled'],
  authFailed: [
    Code.invalidArgument,
    'etcdserver: authentication failed, invalid user ID or password',
  ],
  noPasswordUser: [
    Code.unknown,
    'auth: authentication failed, password was given for no password user',
  ],
  invalidAuthToken: [Code.unauthenticated, 'etcdserver: invalid auth token'],
  authOldRevision: [Code.invalidArgument, 'etcdserver: revision of auth store is old'],
  permissionDenied: [Code.permissionDenied, 'etcdserver: permission denied'],
  /** Also the answer to a request without a token while auth is on. */
  userEmpty: [Code.invalidArgument, 'etcdserver: user name is empty'],
  userExists: [Code.failedPrecondition, 'etcdserver: user name already exists'],
  userNotFound: [Code.failedPrecondition, 'etcdserver: user name not found'],
  roleEmpty: [Code.invalidArgument, 'etcdserver: role name is empty'],
  roleExists: [Code.failedPrecondition, 'etcdserver: role name already exists'],
  roleNotFound: [Code.failedPrecondition, 'etcdserver: role name not found'],
  roleNotGranted: [Code.failedPrecondition, 'etcdserver: role is not granted to the user'],
  permissionNotGranted: [
    Code.failedPrecondition,
    'etcdserver: permission is not granted to the role',
  ],
  permissionNotGiven: [Code.invalidArgument, 'etcdserver: permission not given'],
  invalidAuthManagement: [Code.invalidArgument, 'etcdserver: invalid auth management'],
  closed: [
    Code.unavailable,
    'edgetcd: this deployment is closed: set the secret ETCD_ROOT_PASSWORD to have ' +
      'authentication enabled, or ALLOW_NONE_AUTHENTICATION=yes to serve everyone who can reach it',
  ],
  slowClient: [Code.unavailable, 'edgetcd: the client does not read what it asked for'],
  verifyOnlyToken: [Code.unknown, 'auth: token signing attempted with verify-only key'],
  tooManyUsers: [Code.resourceExhausted, 'edgetcd: too many users'],
  tooManyRoles: [Code.resourceExhausted, 'edgetcd: too many roles'],
  tooManyRolesOfUser: [Code.resourceExhausted, 'edgetcd: too many roles of one user'],
  tooManyPermissions: [Code.resourceExhausted, 'edgetcd: too many permissions of one role'],
  authNameTooLong: [Code.invalidArgument, 'edgetcd: the name of a user or role is too long'],
  passwordTooLong: [Code.invalidArgument, 'edgetcd: the password is too long'],
  passwordHashUnknown: [
    Code.invalidArgument,
    'edgetcd: hashedPassword is not a hash that can be checked here; send the password instead',
  ],
  // Hash, defragment and snapshot check permissions outside of the layer that gives errors a code.
  maintenanceUserEmpty: [Code.unknown, 'auth: user name is empty'],
  maintenancePermissionDenied: [Code.unknown, 'auth: permission denied'],
  replyTooLarge: [Code.resourceExhausted, 'etcdserver: the answer is too large'],

  // Sessions.
  unknownMethod: [Code.unimplemented, 'edgetcd: unknown method'],
  operationNotOpen: [Code.notFound, 'edgetcd: no operation of that id is open'],
  unknownAction: [Code.invalidArgument, 'edgetcd: unknown action'],
  tooManyOperations: [Code.resourceExhausted, 'edgetcd: too many operations in one session'],

  // Locks and elections: all their failures arrive without a code, see EtcdError.withCode.
  leaderNotProvided: [Code.unknown, '"leader" field must be provided'],
  electionNoLeader: [Code.unknown, 'election: no leader'],
  electionNotLeader: [Code.unknown, 'election: not leader'],
  sessionExpired: [Code.unknown, 'mutex: session is expired'],
} as const satisfies Record<string, readonly [Code, string]>;

export type ErrorName = keyof typeof ERRORS;

/** An answer that is an error: thrown by evaluators, encoded at the edge. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError';
  readonly code: Code;

  constructor(code: Code, message: string) {
    super(message);
    this.code = code;
  }

  static of(name: ErrorName): EtcdError {
    const [code, message] = ERRORS[name];
    return new EtcdError(code, message);
  }

  /**
   * As another process tells it. A later release may know codes that this one does not: such a one,
   * and a success that is told as a failure, is `otherwise`.
   */
  static told(code: number, message: string, otherwise: Code = Code.unknown): EtcdError {
    const known = Object.values(Code).find((each) => each === code);
    return new EtcdError(known === undefined || known === Code.ok ? otherwise : known, message);
  }

  /** The same text under another code: what locks and elections do to the errors of the store. */
  withCode(code: Code): EtcdError {
    return new EtcdError(code, this.message);
  }
}
