import { describe, expect, it } from 'vitest';
import { FakeMembers } from '../fake_members.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const basic = (text: string) => ({ authorization: `Basic ${btoa(text)}` });

async function ask(request: string, init: RequestInit = {}, variables = {}) {
  const members = new FakeMembers(variables);
  const [method = '', path = ''] = request.split(' ');
  const response = await members.fetch(path, { ...init, method });
  return { response, members, call: members.v2Calls[0]?.call };
}

describe('requests about keys', () => {
  it('reach a member with what their form and query say', async () => {
    const init = { body: 'value=1&ttl=5', headers: FORM };
    const { call, response } = await ask('PUT /v2/keys/a/b?prevExist=false', init);
    expect(call).toMatchObject({
      kind: 'keys',
      request: { method: 'PUT', path: '/a/b', value: '1', ttlSeconds: 5, prevExist: false },
    });
    expect(response.headers.get('x-etcd-index')).toBe('7');
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
  });

  it.each([
    ['PUT', { 'content-type': 'application/json' }],
    ['PUT', {}],
    ['DELETE', FORM],
  ])('of %s with %j have no form', async (method, headers) => {
    const init = { body: 'value=1', headers: headers as Record<string, string> };
    expect((await ask(`${method} /v2/keys/a`, init)).call).toMatchObject({
      request: { value: '' },
    });
  });

  it('know encoded paths, and HEAD', async () => {
    expect((await ask('GET /v2/keys/x%20y/%C3%BC')).call).toMatchObject({
      request: { path: '/x y/ü' },
    });
    const { call, response } = await ask('HEAD /v2/keys/a');
    expect(call).toMatchObject({ request: { method: 'HEAD' } });
    expect(await response.text()).toBe('');
  });

  it('that cannot be read reach a member too, which knows the name of its cluster', async () => {
    const { call } = await ask('GET /v2/keys/a?recursive=x');
    expect(call).toMatchObject({ kind: 'keys', request: { errorCode: 209 } });
  });

  it('that wait are streams, unless they want a quorum', async () => {
    const { members } = await ask('GET /v2/keys/a?wait=true&waitIndex=9');
    expect(members.seen).toMatchObject([{ delivery: 'keys' }]);
    expect(JSON.parse(members.seen[0]?.body ?? '')).toMatchObject({
      request: { wait: true, waitIndex: 9 },
      credentials: null,
    });
    const quorum = await ask('GET /v2/keys/a?wait=true&quorum=true');
    expect(quorum.call).toMatchObject({ request: { quorum: true } });
  });

  it('go where writes go, and reads to another member when that is gone', async () => {
    const members = new FakeMembers({ ETCD_LOCATION_HINTS: 'm2=weur' });
    members.behave('m1', () => new Error('gone'));
    expect((await members.fetch('/v2/keys/a', { method: 'PUT' })).status).toBe(500);
    expect((await members.fetch('/v2/keys/a')).status).toBe(200);
    expect(members.asked).toEqual(['m1', 'm2']);
  });

  it('that were lost are told in the form of v2', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => new Error('gone'));
    const response = await members.fetch('/v2/keys/a', { method: 'PUT' });
    expect(response.headers.get('x-etcd-index')).toBe('0');
    expect(await response.json()).toMatchObject({ errorCode: 300, index: 0 });
  });
});

describe('credentials', () => {
  it.each([
    [{}, null],
    [basic('bob:a:b'), { user: 'bob', password: 'a:b' }],
    [basic('bob'), 'malformed'],
    [{ authorization: 'Basic %' }, 'malformed'],
    [{ authorization: 'Bearer x' }, 'malformed'],
  ])('%j', async (headers, wanted) => {
    const { members } = await ask('GET /v2/keys/a', { headers: headers as Record<string, string> });
    expect(members.v2Calls[0]?.credentials).toEqual(wanted);
  });
});

describe('other requests', () => {
  it.each([
    ['GET /v2/members', { kind: 'members', request: { rest: '' } }],
    ['DELETE /v2/members/ab', { kind: 'members', request: { method: 'DELETE', rest: 'ab' } }],
    ['GET /v2/machines', { kind: 'machines' }],
    ['GET /v2/stats/leader', { kind: 'stats', of: 'leader' }],
    ['GET /v2/auth/users/', { kind: 'auth', request: { rest: 'users/' } }],
    ['PUT /v2/auth/enable', { kind: 'auth', request: { rest: 'enable' } }],
    ['PUT /v2/auth/roles/r', { kind: 'auth', request: { rest: 'roles/r' } }],
  ])('%s reaches a member', async (request, call) => {
    expect((await ask(request)).call).toMatchObject(call);
  });

  it.each([
    ['PATCH /v2/keys/a', 'HEAD,GET,PUT,POST,DELETE'],
    ['PATCH /v2/members', 'GET,POST,DELETE,PUT'],
    ['POST /v2/machines', 'GET,HEAD'],
    ['POST /v2/stats/self', 'GET'],
    ['PUT /v2/auth/users', 'GET'],
    ['PATCH /v2/auth/users/a', 'GET,PUT,DELETE'],
  ])('%s is not allowed', async (request, allow) => {
    const { response, call } = await ask(request);
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
    expect(await response.text()).toBe('Method Not Allowed\n');
    expect(call).toBeUndefined();
  });

  it.each(['/v2', '/v2/', '/v2/nope', '/v2/stats', '/v2/auth', '/v2/auth/enable/x', '/v2/keysx'])(
    '%s is not there',
    async (path) => {
      const { response } = await ask(`GET ${path}`);
      expect([response.status, await response.text()]).toEqual([404, '404 page not found\n']);
    },
  );

  it('are sent to the tidy path', async () => {
    const { response } = await ask('PUT /v2/keys//a/../b?x=1');
    expect([response.status, response.headers.get('location')]).toEqual([301, '/v2/keys/b?x=1']);
  });

  it('are answered by nobody where v2 is not enabled', async () => {
    const off = { ETCD_ENABLE_V2: 'false' };
    for (const path of ['/v2/keys/a', '/v2/members', '/v2/auth/enable']) {
      expect((await ask(`GET ${path}`, {}, off)).response.status).toBe(404);
    }
    const wrong = await ask('GET /v2/keys/a', {}, { ETCD_ENABLE_V2: 'maybe' });
    expect(await wrong.response.text()).toContain('ETCD_ENABLE_V2');
  });
});
