import { Code, ERRORS } from '../api/error.ts';

export { Code } from '../api/error.ts';

/**
 * What an error says about a write: `none`, it was not done and never will be; `unknown`, it may
 * have been done, or may be done yet.
 */
export type Outcome = 'none' | 'unknown';

/** Everything that goes wrong in a call, with etcd's code and etcd's words. */
export class EtcdError extends Error {
  override readonly name: string = 'EtcdError';
  /** A gRPC status code: see {@link Code}. */
  readonly code: Code;
  /** Whether a write may have been done. */
  readonly outcome: Outcome;

  constructor(code: Code, message: string, outcome: Outcome = 'none', options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.outcome = outcome;
  }
}

/** The watch cannot go on where it was: those revisions have been compacted away. */
export class EtcdWatchCompactedError extends EtcdError {
  override readonly name = 'EtcdWatchCompactedError';
  /** The lowest revision that can be watched from. */
  readonly compactRevision: number;

  constructor(compactRevision: number) {
    super(...ERRORS.compacted);
    this.compactRevision = compactRevision;
  }
}

/** The server ended the watch, and would again: the reason is its message. */
export class EtcdWatchCanceledError extends EtcdError {
  override readonly name = 'EtcdWatchCanceledError';
}

/** A lease is over: it was revoked, or could not be renewed in time. */
export class EtcdLeaseInvalidError extends EtcdError {
  override readonly name = 'EtcdLeaseInvalidError';

  constructor(message: string = ERRORS.leaseNotFound[1]) {
    super(Code.notFound, message);
  }
}

/** The lock was not to be had: its lease ended while it was waited for. */
export class EtcdLockFailedError extends EtcdError {
  override readonly name = 'EtcdLockFailedError';

  constructor(message: string = ERRORS.sessionExpired[1]) {
    super(Code.failedPrecondition, message);
  }
}

/** Nobody leads the election. */
export class EtcdNoLeaderError extends EtcdError {
  override readonly name = 'EtcdNoLeaderError';

  constructor() {
    super(...ERRORS.electionNoLeader);
  }
}

/** Words by which a server says for certain that nothing was done. */
const REFUSALS: ReadonlySet<string> = new Set([
  ERRORS.noLeader[1],
  ERRORS.tooManyRequests[1],
  ERRORS.notCapable[1],
  ERRORS.learnerUnsupported[1],
  ERRORS.closed[1],
  ERRORS.tooManyOperations[1],
]);

const codes: ReadonlySet<number> = new Set(Object.values(Code));

/** @param refused the server has said beside its words that nothing was done */
export function errorOf(code: number, message: string, refused = false): EtcdError {
  const known = codes.has(code) ? (code as Code) : Code.unknown;
  if (message === ERRORS.leaseNotFound[1]) return new EtcdLeaseInvalidError();
  if (message === ERRORS.electionNoLeader[1]) return new EtcdNoLeaderError();
  if (message === ERRORS.sessionExpired[1]) return new EtcdLockFailedError();
  const isVague = UNCLEAR.has(known) && !refused && !REFUSALS.has(message);
  return new EtcdError(known, message, isVague ? 'unknown' : 'none');
}

/** Codes under which a write may have been done. All others are about the request itself. */
const UNCLEAR: ReadonlySet<Code> = new Set<Code>([
  Code.unavailable,
  Code.deadlineExceeded,
  Code.canceled,
  Code.internal,
  Code.unknown,
]);

/** The way to the server failed. @param sent whether the request may have reached it */
export function connectionLost(sent: boolean, cause?: unknown): EtcdError {
  const text = sent ? 'the connection was lost' : 'no connection';
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  const outcome = sent ? 'unknown' : 'none';
  return new EtcdError(Code.unavailable, `${text}${why}`, outcome, { cause });
}

/** The caller's own deadline has passed. */
export function deadlineExceeded(): EtcdError {
  return new EtcdError(...ERRORS.deadlineExceeded, 'unknown');
}

/** The client was closed. */
export function clientClosed(): EtcdError {
  return new EtcdError(Code.canceled, 'the client is closed');
}

/** Whether another try, a little later or at another member, may have another end. */
export function isPassing({ code, message }: EtcdError): boolean {
  return code === Code.unavailable || REFUSALS.has(message);
}

/** The token is not good any more: another one may be had for the password. */
export function isTokenInvalid({ message }: EtcdError): boolean {
  return message === ERRORS.invalidAuthToken[1] || message === ERRORS.authOldRevision[1];
}

/** Authentication is off: there is nothing to log in to. */
export function isAuthOff({ message }: EtcdError): boolean {
  return message === ERRORS.authNotEnabled[1];
}

/** What was thrown, as an error of this module. */
export function asEtcdError(error: unknown): EtcdError {
  if (error instanceof EtcdError) return error;
  return new EtcdError(
    Code.internal,
    error instanceof Error ? error.message : String(error),
    'unknown',
    {
      cause: error,
    },
  );
}
