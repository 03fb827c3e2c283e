import { describe, expect, it } from 'vitest';
import { FakeMembers, OK } from '../fake_members.ts';
import { discoveryTarget } from './discovery.ts';

const TOKEN = '0123456789abcdef0123456789abcdef';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const CLOSED = { ALLOW_NONE_AUTHENTICATION: '' };

describe('paths of the discovery service', () => {
  it.each([
    ['/new', 'new'],
    [`/${TOKEN}`, 'directory'],
    [`/${TOKEN}/`, 'directory'],
    [`/${TOKEN}/_config/size`, 'size'],
    [`/${TOKEN}/1a2b`, 'member'],
    [`/v2/keys/discovery/${TOKEN}/1a2b`, 'member'],
    [`/v2/keys/discovery/${TOKEN}`, 'directory'],
  ])('%s is its %s', (path, part) => {
    const target = discoveryTarget(path);
    expect(target === 'new' ? target : target?.part).toBe(part);
  });

  it.each([
    '/new/',
    '/newer',
    `/${TOKEN.slice(1)}`,
    `/${TOKEN}0`,
    `/${TOKEN.toUpperCase()}`,
    `/${TOKEN}/../secret`,
    '/v2/keys/discovery/mine/_config/size',
    `/v2/keys/${TOKEN}`,
  ])('%s is none of its', (path) => {
    expect(discoveryTarget(path)).toBeNull();
  });
});

/** Members that have written what they are asked to write. */
function service(variables = {}): FakeMembers {
  const members = new FakeMembers(variables);
  members.behave('m1', () => ({ ...OK, status: 201 }));
  return members;
}

describe('/new', () => {
  it.each(['GET', 'PUT'])('by %s has a size written under a new token', async (method) => {
    const members = service();
    const response = await members.fetch('/new?size=5', { method });
    const url = await response.text();
    expect(url).toMatch(/^http:\/\/edge\.example\/[0-9a-f]{32}$/);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(members.v2Calls[0]?.call).toMatchObject({
      kind: 'discovery',
      request: {
        target: { token: url.slice(-32), part: 'size' },
        keys: { method: 'PUT', path: `/discovery/${url.slice(-32)}/_config/size`, value: '5' },
        ttlSeconds: 168 * 3_600,
      },
    });
    expect(await (await members.fetch('/new')).text()).not.toBe(url);
    expect(members.v2Calls[1]?.call).toMatchObject({ request: { keys: { value: '3' } } });
  });

  it('answers the public URL, and another time to live, where those are set', async () => {
    const members = service({
      EDGETCD_DISCOVERY_URL: 'https://discovery.example/',
      EDGETCD_DISCOVERY_TTL: '1h',
    });
    const url = await (await members.fetch('/new')).text();
    expect(url).toMatch(/^https:\/\/discovery\.example\/[0-9a-f]{32}$/);
    expect(members.v2Calls[0]?.call).toMatchObject({ request: { ttlSeconds: 3_600 } });
  });

  it('tells in the words of the public service why there is none', async () => {
    const members = new FakeMembers();
    const body = '{"errorCode":403,"message":"Invalid active size","cause":"from 1 to 31"}';
    members.behave('m1', () => ({ ...OK, status: 400, body }));
    const response = await members.fetch('/new?size=0');
    expect(response.status).toBe(400);
    expect(await response.text()).toBe(
      'unable to generate token: Invalid active size: from 1 to 31\n',
    );
    members.behave('m1', () => new Error('gone'));
    expect((await members.fetch('/new')).status).toBe(503);
  });

  it('takes no other method', async () => {
    const response = await service().fetch('/new', { method: 'DELETE' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET,PUT']);
  });
});

describe('a token', () => {
  it('is asked by anybody, whoever they say they are', async () => {
    const members = service();
    const headers = { ...FORM, authorization: `Basic ${btoa('bob:wrong')}` };
    const body = 'value=n1%3Dhttp%3A%2F%2F10.0.0.1%3A2380';
    await members.fetch(`/${TOKEN}/1a?prevExist=false`, { method: 'PUT', headers, body });
    expect(members.v2Calls[0]?.call).toMatchObject({
      kind: 'discovery',
      request: {
        target: { token: TOKEN, part: 'member' },
        keys: { path: `/discovery/${TOKEN}/1a`, value: 'n1=http://10.0.0.1:2380' },
      },
    });
  });

  it('is waited for as any key, but without a login', async () => {
    const members = service();
    await members.fetch(`/${TOKEN}?recursive=true&wait=true&waitIndex=9`);
    expect(members.seen[0]?.delivery).toBe('keys');
    expect(JSON.parse(members.seen[0]?.body ?? '')).toMatchObject({
      request: { path: `/discovery/${TOKEN}`, recursive: true, waitIndex: 9 },
      credentials: null,
      byToken: true,
    });
  });

  it.each([
    ['POST', '', 'GET,HEAD'],
    ['PUT', '', 'GET,HEAD'],
    ['DELETE', '/_config/size', 'GET,HEAD,PUT'],
    ['POST', '/1a', 'GET,HEAD,PUT'],
    ['DELETE', '/1a', 'GET,HEAD,PUT'],
  ])('%s %s is not allowed', async (method, rest, allow) => {
    const response = await service().fetch(`/${TOKEN}${rest}`, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
  });
});

describe('the service', () => {
  const paths = ['/new', `/${TOKEN}`];

  it('is off where not everybody is served, until its operator decides', async () => {
    for (const path of paths) expect((await service(CLOSED).fetch(path)).status).toBe(404);
    const on = { ...CLOSED, EDGETCD_DISCOVERY_SERVICE: 'on' };
    for (const path of paths) expect((await service(on).fetch(path)).status).toBeLessThan(300);
    const off = { EDGETCD_DISCOVERY_SERVICE: 'off' };
    for (const path of paths) expect((await service(off).fetch(path)).status).toBe(404);
  });

  it('leaves the keys of v2 what they are where it is off', async () => {
    const members = service({ EDGETCD_DISCOVERY_SERVICE: 'off' });
    await members.fetch(`/v2/keys/discovery/${TOKEN}`);
    expect(members.v2Calls[0]?.call.kind).toBe('keys');
  });

  it('is there without the rest of v2', async () => {
    const members = service({ ETCD_ENABLE_V2: 'false' });
    expect((await members.fetch(`/v2/keys/discovery/${TOKEN}`)).status).toBe(201);
    expect((await members.fetch('/v2/keys/other')).status).toBe(404);
  });

  it('lets only those make tokens who know its secret, if it has one', async () => {
    const members = service({ EDGETCD_DISCOVERY_SECRET: 'hush' });
    const size = `/${TOKEN}/_config/size`;
    for (const path of ['/new', size]) {
      const put = { method: 'PUT', body: 'value=3', headers: FORM };
      expect((await members.fetch(path, put)).status).toBe(401);
      const wrong = { ...put, headers: { ...FORM, authorization: 'Bearer hus' } };
      expect((await members.fetch(path, wrong)).status).toBe(401);
      const right = { ...put, headers: { ...FORM, authorization: 'Bearer hush' } };
      expect((await members.fetch(path, right)).status).toBeLessThan(300);
    }
    expect((await members.fetch(size)).status).toBe(201);
  });

  it.each([
    { EDGETCD_DISCOVERY_SERVICE: 'yes' },
    { EDGETCD_DISCOVERY_URL: 'discovery.example' },
    { EDGETCD_DISCOVERY_URL: 'https://discovery.example/path' },
    { EDGETCD_DISCOVERY_TTL: '1s' },
    { EDGETCD_DISCOVERY_TTL: 'long' },
  ])('says what is wrong with %j', async (variables) => {
    const response = await service(variables).fetch('/new');
    expect(response.status).toBe(500);
    expect(await response.text()).toContain(Object.keys(variables)[0]);
  });
});
