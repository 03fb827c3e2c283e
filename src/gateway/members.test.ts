import { describe, expect, it } from 'vitest';
import { FakeMembers } from './fake_members.ts';

const SECRET = 'correct horse battery staple';

describe('GET /members', () => {
  it('asks a member, and tells it by which origin it is reached', async () => {
    const members = new FakeMembers();
    expect((await members.fetch('/members')).status).toBe(200);
    expect(members.v2Calls).toMatchObject([
      { call: { kind: 'peers', origin: 'http://edge.example' }, credentials: null },
    ]);
  });

  it('asks another member when one is gone', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => new Error('gone'));
    expect((await members.fetch('/members')).status).toBe(200);
    expect(members.asked).toEqual(['m1', 'm2']);
  });

  it('is there without the v2 API', async () => {
    const members = new FakeMembers({ ETCD_ENABLE_V2: 'false' });
    expect((await members.fetch('/members')).status).toBe(200);
  });

  it.each(['POST', 'HEAD', 'DELETE'])('is not for %s', async (method) => {
    const response = await new FakeMembers().fetch('/members', { method });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET');
  });

  it.each([
    [{}, {}, 404],
    [{ PEER_SECRET: SECRET }, {}, 401],
    [{ PEER_SECRET: SECRET }, { authorization: 'Bearer wrong' }, 403],
    [{ PEER_SECRET: SECRET }, { authorization: `Bearer ${SECRET}` }, 200],
  ])('of a closed deployment with %j, asked with %j: %i', async (variables, headers, status) => {
    const members = new FakeMembers({ ALLOW_NONE_AUTHENTICATION: '', ...variables });
    const response = await members.fetch('/members', { headers: headers as HeadersInit });
    expect(response.status).toBe(status);
    expect(members.seen).toHaveLength(status === 200 ? 1 : 0);
  });
});
