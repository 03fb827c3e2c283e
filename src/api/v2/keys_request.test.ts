import { describe, expect, it } from 'vitest';
import { isRefusal, type KeysMethod, parseKeysRequest } from './keys_request.ts';

const parse = (method: KeysMethod, query: string, path = 'a') =>
  parseKeysRequest(method, path, query, '');

describe('a request about keys', () => {
  it('has what its parameters say', () => {
    const text = 'value=v&ttl=5&prevExist=true&prevValue=w&prevIndex=7&noValueOnSuccess=1';
    expect(parseKeysRequest('PUT', '/a//b/', '', text)).toEqual({
      ...{ method: 'PUT', path: '/a/b', value: 'v', dir: false, ttlSeconds: 5, refresh: false },
      ...{ prevExist: true, prevValue: 'w', prevIndex: 7, noValueOnSuccess: true },
      ...{ recursive: false, sorted: false, quorum: false },
      ...{ wait: false, waitIndex: 0, stream: false },
    });
  });

  it('tells no TTL from one that is taken away, and false from nothing', () => {
    expect(parse('PUT', 'ttl=')).toMatchObject({ ttlSeconds: null, prevExist: null });
    expect(parse('PUT', 'ttl=0&prevExist=f')).toMatchObject({ ttlSeconds: 0, prevExist: false });
  });

  it.each(['', '/', '//'])('%j is the root', (path) => {
    expect(parse('GET', '', path)).toMatchObject({ path: '/' });
  });

  it.each([
    ['GET', 'prevIndex=x', 203, 'invalid value for "prevIndex"'],
    ['GET', 'waitIndex=-1', 203, 'invalid value for "waitIndex"'],
    ['GET', 'prevIndex=18446744073709551616', 203, 'invalid value for "prevIndex"'],
    ['GET', 'recursive=5', 209, 'invalid value for "recursive"'],
    ['GET', 'wait=', 209, 'invalid value for "wait"'],
    ['PUT', 'wait=true', 209, '"wait" can only be used with GET requests'],
    ['PUT', 'prevValue=', 201, '"prevValue" cannot be empty'],
    ['PUT', 'noValueOnSuccess=x', 209, 'invalid value for "noValueOnSuccess"'],
    ['PUT', 'ttl=1.5', 202, 'invalid value for "ttl"'],
    ['PUT', 'prevExist=maybe', 209, 'invalid value for prevExist'],
    ['PUT', 'refresh=zzz', 209, 'invalid value for refresh'],
    ['PUT', 'refresh=true&value=x&ttl=1', 211, 'A value was provided on a refresh'],
    ['PUT', 'refresh=true', 212, 'No TTL value set'],
    ['PUT', 'value=%zz', 210, 'invalid URL escape "%zz"'],
    // What is looked at first is complained about.
    ['PUT', 'refresh=x&prevIndex=x', 203, 'invalid value for "prevIndex"'],
  ] as const)('%s %s is refused with %i', (method, query, errorCode, cause) => {
    const refusal = parse(method, query);
    expect(isRefusal(refusal)).toBe(true);
    expect(refusal).toEqual({ errorCode, cause });
  });
});
