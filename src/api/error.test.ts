import { describe, expect, test } from 'vitest';
import { Code, ERRORS, EtcdError } from './error.ts';
import { encodeError, encodeStreamError, httpStatusOf, messageTooLarge } from './error-body.ts';

describe('encodeError', () => {
  test('has the keys that clients of 3.4, 3.5 and 3.6 look for, in the order of 3.5', () => {
    expect(encodeError(EtcdError.of('leaseNotFound'))).toEqual({
      status: 404,
      body: '{"error":"etcdserver: requested lease not found","code":5,"message":"etcdserver: requested lease not found"}',
    });
  });

  test('a message is escaped as Go does it', () => {
    const { body } = encodeError(new EtcdError(Code.unknown, 'a "b" <c> & \u2028'));
    const text = '"a \\"b\\" \\u003cc\\u003e \\u0026 \\u2028"';
    expect(body).toBe(`{"error":${text},"code":2,"message":${text}}`);
  });

  test.each([
    ['keyNotProvided', 400],
    ['compacted', 400],
    ['leaseExists', 400],
    ['memberNotFound', 404],
    ['permissionDenied', 403],
    ['invalidAuthToken', 401],
    ['noSpace', 429],
    ['deadlineExceeded', 504],
    ['canceled', 408],
    ['noLeader', 503],
    ['corrupt', 500],
    ['notEnoughStartedMembers', 500],
  ] as const)('%s is HTTP %i', (name, status) => {
    expect(httpStatusOf(EtcdError.of(name).code)).toBe(status);
  });
});

test('an error of a stream names both codes and ends without a newline', () => {
  expect(encodeStreamError(EtcdError.of('noLeader'))).toEqual({
    status: 503,
    body: '{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader","http_status":"Service Unavailable"}}',
  });
});

test('a message beyond the receive limit is refused in the words of gRPC', () => {
  const error = messageTooLarge(3_000_020);
  expect(error.code).toBe(Code.resourceExhausted);
  expect(error.message).toBe('grpc: received message larger than max (3000020 vs. 2097152)');
});

test('locks and elections lose the code and keep the text', () => {
  const error = EtcdError.of('leaseNotFound').withCode(Code.unknown);
  expect([error.code, error.message]).toEqual([2, 'etcdserver: requested lease not found']);
});

test('no text stands for two errors', () => {
  const texts = Object.values(ERRORS).map(([, text]) => text);
  expect(new Set(texts).size).toBe(texts.length);
});
