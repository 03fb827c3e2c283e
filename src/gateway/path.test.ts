import { describe, expect, it } from 'vitest';
import { cleanPath, requestPath, requestQuery } from './path.ts';

describe('cleanPath', () => {
  it.each([
    ['/', '/'],
    ['/v3/kv/range', '/v3/kv/range'],
    ['/v3/', '/v3/'],
    ['//', '/'],
    ['/v3//kv///range', '/v3/kv/range'],
    ['/v3/./kv/../range/', '/v3/range/'],
    ['/../..', '/'],
    ['/v3/kv/..', '/v3'],
    ['/v3/...', '/v3/...'],
  ])('%s is %s', (path, clean) => {
    expect(cleanPath(path)).toBe(clean);
  });
});

describe('requestPath', () => {
  it.each([
    ['http://a.example', '/'],
    ['http://a.example/v3/kv/put?a=/b#c', '/v3/kv/put'],
    ['http://a.example//v3', '//v3'],
    ['http://a.example/v3beta/kv/put', '/v3/kv/put'],
    ['http://a.example/v3betas/kv/put', '/v3betas/kv/put'],
    ['http://a.example/v3/%6Bv/put', '/v3/kv/put'],
    ['http://a.example/v3/%zz', '/v3/%zz'],
    ['http://a.example/v3/%ff', '/v3/%ff'],
  ])('%s', (url, path) => {
    expect(requestPath(new Request(url))).toBe(path);
  });
});

it('requestQuery is what follows the first question mark', () => {
  expect(requestQuery(new Request('http://a.example/health?a=1&b=?'))).toBe('a=1&b=?');
  expect(requestQuery(new Request('http://a.example/health'))).toBe('');
});
