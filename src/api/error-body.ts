import { limits } from '../config.ts';
import { Code, EtcdError } from './error.ts';
import { jsonString } from './json-text.ts';

interface HttpStatus {
  readonly status: number;
  readonly text: string;
}

/**
 * grpc-gateway's mapping. Canceled is 408 as in etcd 3.5; 3.6 says 499, which is no registered
 * status.
 */
const HTTP: Readonly<Record<Code, HttpStatus>> = {
  [Code.ok]: { status: 200, text: 'OK' },
  [Code.canceled]: { status: 408, text: 'Request Timeout' },
  [Code.unknown]: { status: 500, text: 'Internal Server Error' },
  [Code.invalidArgument]: { status: 400, text: 'Bad Request' },
  [Code.deadlineExceeded]: { status: 504, text: 'Gateway Timeout' },
  [Code.notFound]: { status: 404, text: 'Not Found' },
  [Code.alreadyExists]: { status: 409, text: 'Conflict' },
  [Code.permissionDenied]: { status: 403, text: 'Forbidden' },
  [Code.resourceExhausted]: { status: 429, text: 'Too Many Requests' },
  [Code.failedPrecondition]: { status: 400, text: 'Bad Request' },
  [Code.aborted]: { status: 409, text: 'Conflict' },
  [Code.outOfRange]: { status: 400, text: 'Bad Request' },
  [Code.unimplemented]: { status: 501, text: 'Not Implemented' },
  [Code.internal]: { status: 500, text: 'Internal Server Error' },
  [Code.unavailable]: { status: 503, text: 'Service Unavailable' },
  [Code.dataLoss]: { status: 500, text: 'Internal Server Error' },
  [Code.unauthenticated]: { status: 401, text: 'Unauthorized' },
};

/** The HTTP status under which the gateway reports a code. */
export function httpStatusOf(code: Code): number {
  return HTTP[code].status;
}

export interface ErrorAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * The answer of a unary method, in the key order of etcd 3.5: clients of 3.4, 3.5 and 3.6 find
 * their keys.
 */
export function encodeError(error: EtcdError): ErrorAnswer {
  const message = jsonString(error.message);
  return {
    status: HTTP[error.code].status,
    body: `{"error":${message},"code":${error.code},"message":${message}}`,
  };
}

/**
 * The error of a streaming method: the whole body with this status when nothing was sent yet,
 * otherwise the last chunk. No newline follows.
 */
export function encodeStreamError(error: EtcdError): ErrorAnswer {
  const { status, text } = HTTP[error.code];
  const message = jsonString(error.message);
  return {
    status,
    body: `{"error":{"grpc_code":${error.code},"http_code":${status},"message":${message},"http_status":"${text}"}}`,
  };
}

/** gRPC's refusal of a message that is larger than the server receives. */
export function messageTooLarge(sizeBytes: number): EtcdError {
  return new EtcdError(
    Code.resourceExhausted,
    `grpc: received message larger than max (${sizeBytes} vs. ${limits.messageBytesMax})`,
  );
}
