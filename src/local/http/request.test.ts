import { describe, expect, it } from 'vitest';
import { RequestReader } from './request.ts';

const BODY = '{"key":"Zm9v"}';
const HEAD = [
  'POST /v3/kv/range HTTP/1.1',
  'Host: 127.0.0.1:2379',
  'User-Agent: curl/8.5.0',
  'Accept: */*',
  `Content-Length: ${BODY.length}`,
  'Content-Type: application/x-www-form-urlencoded',
];

function read(lines: readonly string[], body = BODY, newline = '\r\n') {
  return new RequestReader().read(Buffer.from([...lines, '', body].join(newline)));
}

/** HEAD with one line in the place of another, or added. */
function head(change: string, instead = ''): string[] {
  return HEAD.some((line) => line === instead)
    ? HEAD.map((line) => (line === instead ? change : line))
    : [...HEAD, change];
}

describe('a request in usual form', () => {
  it('is read', () => {
    expect(read(HEAD)).toEqual({ path: '/v3/kv/range', body: BODY });
  });

  it('may say that the connection stays, which it does anyway', () => {
    expect(read(head('Connection: keep-alive'))).not.toBeNull();
  });

  it('has a body in UTF-8, of which the length counts bytes', () => {
    const body = '{"key":"ü"}';
    const length = `Content-Length: ${Buffer.byteLength(body)}`;
    expect(read(head(length, HEAD[4]), body)?.body).toBe(body);
  });

  it('is read again and again, and changes in between are seen', () => {
    const reader = new RequestReader();
    const next = (lines: readonly string[], body: string) =>
      reader.read(Buffer.from([...lines, '', body].join('\r\n')));
    expect(next(HEAD, BODY)?.body).toBe(BODY);
    expect(next(HEAD, '{"key":"YmFy"}')?.body).toBe('{"key":"YmFy"}');
    expect(next(head('X-Etcd-Endpoint: m2'), BODY)).toBeNull();
    expect(next(HEAD, BODY)?.body).toBe(BODY);
  });
});

describe('what is left to the member', () => {
  const unusual: Readonly<Record<string, string[]>> = {
    'another method': head('GET /v3/kv/range HTTP/1.1', HEAD[0]),
    'another version': head('POST /v3/kv/range HTTP/1.0', HEAD[0]),
    'a path that is not one of the few': head('POST /v3/kv/compaction HTTP/1.1', HEAD[0]),
    'a query': head('POST /v3/kv/range?a=b HTTP/1.1', HEAD[0]),
    'a token': head('Authorization: abc'),
    'a deadline': head('Grpc-Timeout: 1S'),
    'an origin': head('Origin: http://example.com'),
    'two lengths': head(`content-length: ${BODY.length}`),
    'a length with a sign': head(`Content-Length: +${BODY.length}`, HEAD[4]),
    'no length': HEAD.filter((line) => line !== HEAD[4]),
    'a body in chunks': head('Transfer-Encoding: chunked'),
    'two hosts': head('Host: elsewhere'),
    'no host': HEAD.filter((line) => line !== HEAD[1]),
    'a space before the colon': head('Accept : */*', HEAD[3]),
    'a folded header': head(' more'),
    'a line that ends early': head('Accept: a\nContent-Length: 3', HEAD[3]),
    'a carriage return alone': head('Accept: a\rb', HEAD[3]),
    'a connection to be closed': head('Connection: close'),
    'a header that nobody knows': head('X-Http-Method-Override: GET'),
  };

  it.each(Object.keys(unusual))('%s', (name) => {
    expect(read(unusual[name] ?? [])).toBeNull();
  });

  it('a request that is not whole, or not alone', () => {
    expect(read(HEAD, BODY.slice(1))).toBeNull();
    expect(read(HEAD, `${BODY}P`)).toBeNull();
    expect(new RequestReader().read(Buffer.from('POST /v3/kv/range HTTP/1.1\r\n'))).toBeNull();
    expect(read(HEAD, BODY, '\n')).toBeNull();
  });
});
