import { describe, expect, it } from 'vitest';
import { FakeMembers, OK, platformError, REFUSED } from './fake_members.ts';

const WATCH = '/v3/watch';
const EVENTS = { accept: 'text/event-stream' };

const upgrade = (members: FakeMembers, path: string, headers: Record<string, string> = {}) =>
  members.fetch(path, { headers: { upgrade: 'websocket', ...headers } });

describe('a stream', () => {
  it('is what its member answers, with the headers of one that goes on', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => ({ ...OK, body: '{"result":{}}\n' }));
    const response = await members.post(WATCH, '{"create_request":{}}', { authorization: 'abc' });
    expect(await response.text()).toBe('{"result":{}}\n');
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'access-control-allow-origin': '*',
      'cache-control': 'no-store, no-transform',
      'content-type': 'application/json',
      'grpc-metadata-content-type': 'application/grpc',
      'x-accel-buffering': 'no',
    });
    expect(members.seen).toMatchObject([
      { path: WATCH, delivery: 'stream', body: '{"create_request":{}}', context: { token: 'abc' } },
    ]);
  });

  it('shows nothing of what members tell the gateway', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => ({ ...OK, leader: 'm2' }));
    const { headers } = await members.post(WATCH);
    expect([...headers.keys()].filter((name) => name.startsWith('x-edgetcd'))).toEqual([]);
  });

  it('that is refused has the status and no headers of a success', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => ({ ...OK, status: 403, body: '{"error":{}}' }));
    const response = await members.post(WATCH);
    expect(response.status).toBe(403);
    expect(response.headers.get('grpc-metadata-content-type')).toBeNull();
  });

  it('goes to the near member, and to another when nothing was sent', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => platformError('Network connection lost.'));
    members.behave('m2', () => REFUSED);
    members.behave('m3', () => ({ ...OK, leader: 'm3' }));
    expect((await members.post(WATCH)).status).toBe(200);
    expect(members.asked).toEqual(['m1', 'm2', 'm3']);
  });

  it('goes to the member that X-Etcd-Endpoint names, and to no other', async () => {
    const members = new FakeMembers();
    members.behave('m2', () => REFUSED);
    const response = await members.post(WATCH, '{}', { 'x-etcd-endpoint': 'm2' });
    expect(response.status).toBe(503);
    expect(await response.text()).toBe(REFUSED.body);
    expect(members.asked).toEqual(['m2']);
  });

  it("takes nothing for its own that a client calls by a member's name", async () => {
    const members = new FakeMembers();
    const headers = { 'x-edgetcd-context': encodeURIComponent('{"token":"forged"}') };
    await members.post(WATCH, '{}', headers);
    await members.post('/stream/%2Fv3%2Fwatch', '{}', headers);
    expect(members.seen).toMatchObject([{ context: { token: null } }]);
  });
});

describe('what waits', () => {
  it('is answered as any unary method when that is soon', async () => {
    const members = new FakeMembers();
    const response = await members.post('/v3/lock/lock', '{"name":"YQ=="}');
    expect(await response.text()).toBe('{"ok":true}');
    expect(response.headers.get('cache-control')).toBeNull();
    expect(members.seen).toMatchObject([{ path: '/v3/lock/lock', delivery: 'wait' }]);
  });

  it('is a write: what was lost is not asked of another', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => platformError('Network connection lost.', { retryable: true }));
    expect((await members.post('/v3/election/campaign')).status).toBe(503);
    expect(members.asked).toEqual(['m1']);
  });

  it('goes on to the leader when it was refused', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => ({ ...REFUSED, leader: 'm3' }));
    await members.post('/v3/lock/lock');
    expect(members.asked).toEqual(['m1', 'm3']);
  });
});

describe('server-sent events', () => {
  it('are asked for by a query, and go on where the page was', async () => {
    const members = new FakeMembers();
    const headers = { ...EVENTS, 'last-event-id': '7' };
    const response = await members.fetch(`${WATCH}?key_utf8=a`, { headers });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('grpc-metadata-content-type')).toBeNull();
    const { delivery, body } = members.seen[0] ?? {};
    expect(delivery).toBe('events');
    expect(JSON.parse(body ?? '')).toMatchObject({
      create_request: { key: 'YQ==', start_revision: '8' },
    });
  });

  it('are of the watch alone, and only for who accepts them', async () => {
    const members = new FakeMembers();
    expect((await members.fetch('/v3/kv/range', { headers: EVENTS })).status).toBe(405);
    expect((await members.fetch(WATCH)).status).toBe(405);
    expect((await members.fetch(WATCH, { method: 'HEAD', headers: EVENTS })).status).toBe(405);
    expect(members.seen).toEqual([]);
  });
});

describe('a WebSocket', () => {
  it.each([WATCH, '/v3/kv/put', '/v3beta/watch', '/v3/no such?x=1'])(
    'on %s reaches a member, which says what is wrong with it',
    async (path) => {
      const members = new FakeMembers();
      await upgrade(members, path);
      expect(members.seen).toMatchObject([{ body: 'upgrade' }]);
    },
  );

  it('is not taken elsewhere', async () => {
    const members = new FakeMembers();
    expect((await upgrade(members, '/version')).status).toBe(200);
    expect((await upgrade(members, '/nope')).status).toBe(404);
    expect(members.seen.filter(({ body }) => body === 'upgrade')).toEqual([]);
  });

  it.each([
    [{ 'sec-websocket-protocol': 'Bearer, abc' }, 'abc'],
    [{ 'sec-websocket-protocol': 'bearer,abc' }, 'abc'],
    [{ 'sec-websocket-protocol': 'chat' }, null],
    [{ cookie: 'a=b; token=abc; c=d' }, 'abc'],
    [{ cookie: 'mytoken=abc' }, null],
    [{ cookie: 'token=abc', origin: 'http://edge.example' }, 'abc'],
    [{ cookie: 'token=abc', origin: 'https://elsewhere.example' }, null],
    [{ cookie: 'token=abc', origin: 'https://friend.example:443' }, 'abc'],
    [{ authorization: 'abc', cookie: 'token=other' }, 'abc'],
  ])('brings its token as a page can: %j', async (headers, token) => {
    const members = new FakeMembers({ ETCD_CORS: 'https://friend.example:443' });
    await upgrade(members, WATCH, headers as Record<string, string>);
    expect(members.seen[0]?.context?.token).toBe(token);
  });
});
