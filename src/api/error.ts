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

/** Every error that a client can be told, with etcd's text. */
export const ERRORS = {
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
  leaseNotFound: [Code.notFound, 'etcdserver: requested lease not found'],
  leaseExists: [Code.failedPrecondition, 'etcdserver: lease already exists'],
  leaseTtlTooLarge: [Code.outOfRange, 'etcdserver: too large lease TTL'],
  requestTooLarge: [Code.invalidArgument, 'etcdserver: request is too large'],
  tooManyRequests: [Code.resourceExhausted, 'etcdserver: too many requests'],
  noLeader: [Code.unavailable, 'etcdserver: no leader'],
  leaderChanged: [Code.unavailable, 'etcdserver: leader changed'],
  notLeader: [Code.failedPrecondition, 'etcdserver: not leader'],
  badLeaderTransferee: [Code.failedPrecondition, 'etcdserver: bad leader transferee'],
  timeout: [Code.unavailable, 'etcdserver: request timed out'],
  timeoutDueToLeaderFail: [
    Code.unavailable,
    'etcdserver: request timed out, possibly due to previous leader failure',
  ],
  timeoutDueToConnectionLost: [
    Code.unavailable,
    'etcdserver: request timed out, possibly due to connection lost',
  ],
  deadlineExceeded: [Code.deadlineExceeded, 'context deadline exceeded'],
  stopped: [Code.unavailable, 'etcdserver: server stopped'],
  internal: [Code.internal, 'etcdserver: internal error'],
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
}
