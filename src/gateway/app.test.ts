import { describe, expect, it } from 'vitest';
import { METHODS } from '../api/methods.ts';
import { FakeMembers } from './fake_members.ts';

const CORS = {
  'access-control-allow-headers': 'accept, content-type, authorization',
  'access-control-allow-methods': 'POST, GET, OPTIONS, PUT, DELETE',
  'access-control-allow-origin': '*',
};

const GATEWAY_404 = { status: 404, body: 'Not Found\n', type: 'text/plain' };
const MUX_404 = { status: 404, body: '404 page not found\n', type: 'text/plain' };
const METHOD_405 = { status: 405, body: 'Method Not Allowed\n', type: 'text/plain' };
const PLAIN_405 = { ...METHOD_405, allow: 'GET' };

/** What etcd 3.4.23 was seen to answer. */
const RECORDED: readonly (readonly [
  string,
  { status: number; body: string; type?: string; allow?: string; location?: string },
])[] = [
  ['GET /', MUX_404],
  ['GET /nope', MUX_404],
  ['POST /nope', MUX_404],
  ['POST /v3/nope', GATEWAY_404],
  ['GET /v3/nope', GATEWAY_404],
  ['POST /v3/kv/nope', GATEWAY_404],
  ['GET /v2/nope', MUX_404],
  ['POST /v3', { status: 301, body: '', location: '/v3/' }],
  ['POST /v3?x=1', { status: 301, body: '', location: '/v3/?x=1' }],
  ['POST /v3/', GATEWAY_404],
  ['GET /v3/', GATEWAY_404],
  ['POST /v3/kv/range/', GATEWAY_404],
  ['POST /v3/kv/range:x', GATEWAY_404],
  ['GET /version/', MUX_404],
  ['GET /health/', MUX_404],
  ['GET /metrics/', MUX_404],
  ['GET /v3/kv/range', METHOD_405],
  ['PUT /v3/kv/range', METHOD_405],
  ['DELETE /v3/kv/range', METHOD_405],
  ['PATCH /v3/kv/range', METHOD_405],
  ['HEAD /v3/kv/range', { ...METHOD_405, body: '' }],
  ['OPTIONS /v3/kv/range', { status: 200, body: '' }],
  ['OPTIONS /nope', { status: 200, body: '' }],
  ['POST /version', PLAIN_405],
  ['PUT /health', PLAIN_405],
  ['DELETE /version', PLAIN_405],
  ['HEAD /version', { ...PLAIN_405, body: '' }],
  ['HEAD /health', { ...PLAIN_405, body: '' }],
  ['POST /livez', PLAIN_405],
  ['POST /v3alpha/kv/range', MUX_404],
  ['GET /v3beta', MUX_404],
  ['POST /v3beta/', GATEWAY_404],
  ['POST /v3beta/nope', GATEWAY_404],
  ['POST /v3//kv/range?a=b', { status: 301, body: '', location: '/v3/kv/range?a=b' }],
  [
    'GET //version',
    {
      status: 301,
      type: 'text/html',
      location: '/version',
      body: '<a href="/version">Moved Permanently</a>.\n\n',
    },
  ],
  [
    'GET /v3?a=<1>&b=2',
    {
      status: 301,
      type: 'text/html',
      location: '/v3/?a=%3C1%3E&b=2',
      body: '<a href="/v3/?a=%3C1%3E&amp;b=2">Moved Permanently</a>.\n\n',
    },
  ],
];

describe('answers that no member gives', () => {
  it.each(RECORDED)('%s', async (request, wanted) => {
    const members = new FakeMembers();
    const [method, path] = request.split(' ');
    const response = await members.fetch(path ?? '', { method: method ?? '' });
    expect(response.status).toBe(wanted.status);
    expect(await response.text()).toBe(wanted.body);
    expect(response.headers.get('content-type')?.split(';')[0]).toBe(wanted.type);
    expect(response.headers.get('allow')).toBe(wanted.allow ?? null);
    expect(response.headers.get('location')).toBe(wanted.location ?? null);
    const nosniff = wanted.status >= 400 ? 'nosniff' : null;
    expect(response.headers.get('x-content-type-options')).toBe(nosniff);
    expect(Object.fromEntries(response.headers)).toMatchObject(CORS);
    expect(members.seen).toEqual([]);
  });

  it('refuses a form that asks for another HTTP method', async () => {
    const members = new FakeMembers();
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const override = { ...form, 'x-http-method-override': 'GET' };
    expect((await members.post('/v3/kv/range', '{}', override)).status).toBe(405);
    expect((await members.post('/v3/kv/range', '{}', form)).status).toBe(200);
  });
});

describe('methods', () => {
  it('forwards every method that etcd has, under its own path', async () => {
    const members = new FakeMembers();
    for (const { path } of METHODS) expect((await members.post(path)).status).toBe(200);
    expect(members.seen.map(({ path }) => path)).toEqual(METHODS.map(({ path }) => path));
  });

  it('answers with the headers of a success', async () => {
    const response = await new FakeMembers().post('/v3/kv/put', '{"key":"YQ=="}');
    expect(Object.fromEntries(response.headers)).toEqual({
      ...CORS,
      'content-type': 'application/json',
      'grpc-metadata-content-type': 'application/grpc',
    });
    expect(await response.text()).toBe('{"ok":true}');
  });

  it("passes a member's error on as it is", async () => {
    const members = new FakeMembers();
    const body = '{"error":"etcdserver: key is not provided"}';
    members.behave('m1', () => ({ status: 400, body, leader: null, retry: false }));
    const response = await members.post('/v3/kv/put');
    expect(response.status).toBe(400);
    expect(await response.text()).toBe(body);
    expect(response.headers.get('grpc-metadata-content-type')).toBeNull();
  });

  it('knows the prefix of etcd 3.3 and encoded paths', async () => {
    const members = new FakeMembers();
    await members.post('/v3beta/kv/put');
    await members.post('/v3/kv%2Fput?key=YQ==');
    await members.post('/v3/%6bv/put#x');
    expect(members.seen.map(({ path }) => path)).toEqual(Array(3).fill('/v3/kv/put'));
  });

  it('takes any content type, and bytes that are no text', async () => {
    const members = new FakeMembers();
    const bytes = new Uint8Array([0x7b, 0xff, 0x7d]);
    await members.fetch('/v3/kv/put', { method: 'POST', body: bytes });
    await members.post('/v3/kv/put', '{"a":1}', { 'content-type': 'application/xml' });
    await members.fetch('/v3/kv/put', { method: 'POST' });
    expect(members.seen.map(({ body }) => body)).toEqual(['{\ufffd}', '{"a":1}', '']);
  });
});

describe('plain endpoints', () => {
  it.each(['/version', '/health', '/metrics', '/livez', '/readyz', '/readyz/linearizable_read'])(
    '%s is answered by a member',
    async (path) => {
      const response = await new FakeMembers().fetch(`${path}?exclude=a&verbose`);
      expect(await response.text()).toBe(`${path}?exclude=a&verbose`);
      expect(Object.fromEntries(response.headers)).toMatchObject(CORS);
    },
  );

  it('has no check of another name', async () => {
    const response = await new FakeMembers().fetch('/readyz/nope');
    expect(await response.text()).toBe('404 page not found\n');
  });

  it('lets scrapers use HEAD on the metrics, as etcd does', async () => {
    expect((await new FakeMembers().fetch('/metrics', { method: 'HEAD' })).status).toBe(200);
  });

  it('says that it is not healthy when no member can be reached', async () => {
    const members = new FakeMembers();
    for (const name of ['m1', 'm2', 'm3']) members.behave(name, () => new Error('lost'));
    const response = await members.fetch('/health');
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      health: 'false',
      reason: 'etcdserver: request timed out, possibly due to connection lost',
    });
    expect((await members.fetch('/readyz')).status).toBe(503);
  });
});

describe('a closed deployment', () => {
  it('leaves it to its members who may call', async () => {
    const members = new FakeMembers({ ALLOW_NONE_AUTHENTICATION: '' });
    expect((await members.post('/v3/kv/put')).status).toBe(200);
    expect(members.seen).toHaveLength(1);
  });

  it('shows no metrics to everyone', async () => {
    const members = new FakeMembers({ ALLOW_NONE_AUTHENTICATION: '' });
    const response = await members.fetch('/metrics');
    expect(response.status).toBe(503);
    expect(await response.text()).toMatch(/EDGETCD_METRICS_TOKEN/);
    expect(members.seen).toEqual([]);
  });

  it('shows metrics to who knows their secret', async () => {
    const members = new FakeMembers({
      ALLOW_NONE_AUTHENTICATION: '',
      EDGETCD_METRICS_TOKEN: 'for prometheus',
    });
    const ask = async (headers: Record<string, string>): Promise<number> =>
      (await members.fetch('/metrics', { headers })).status;
    expect(await ask({})).toBe(401);
    expect(await ask({ authorization: 'Bearer for prometheu' })).toBe(401);
    expect(await ask({ authorization: 'Bearer for prometheus' })).toBe(200);
  });

  it('still says how it is', async () => {
    const members = new FakeMembers({ ALLOW_NONE_AUTHENTICATION: 'no' });
    for (const path of ['/version', '/health', '/livez', '/readyz']) {
      expect((await members.fetch(path)).status).toBe(200);
    }
  });
});

describe('ETCD_CORS', () => {
  const members = new FakeMembers({ ETCD_CORS: 'https://a.example:443, https://b.example:443' });
  const allowed = async (origin: string | null): Promise<string | null> => {
    const headers: Record<string, string> = origin === null ? {} : { origin };
    const response = await members.post('/v3/kv/range', '{}', headers);
    return response.headers.get('access-control-allow-origin');
  };

  it('names a listed origin and no other', async () => {
    expect(await allowed('https://b.example:443')).toBe('https://b.example:443');
    expect(await allowed('https://b.example')).toBe('https://b.example');
    expect(await allowed('https://c.example:443')).toBeNull();
    expect(await allowed('http://b.example')).toBeNull();
    expect(await allowed(null)).toBeNull();
  });
});

describe('a wrong configuration', () => {
  it.each([
    [
      { ETCD_INITIAL_CLUSTER: 'm1=https://a.example' },
      /m1=https:\/\/a\.example is not m1=do:\/\/m1/,
    ],
    [{ ETCD_INITIAL_CLUSTER: 'm1' }, /"m1" is not name=value/],
    [{ ETCD_INITIAL_CLUSTER: 'm1=do://m1,m1=do://m1' }, /m1 is there twice/],
    [{ ETCD_LOCATION_HINTS: 'm1=moon' }, /moon is not a location/],
  ])('is reported: %j', async (variables, message) => {
    const response = await new FakeMembers(variables).post('/v3/kv/put');
    expect(response.status).toBe(500);
    expect(((await response.json()) as { message: string }).message).toMatch(message);
  });
});
