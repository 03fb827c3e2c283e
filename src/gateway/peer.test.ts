import { describe, expect, it } from 'vitest';
import { limits } from '../config.ts';
import { equalSecrets } from './access.ts';
import { FakeMembers, platformError } from './fake_members.ts';

const SECRET = 'correct horse battery staple';
const federation = { ETCD_NAME: 'm1', PEER_SECRET: SECRET };

function send(members: FakeMembers, authorization: string | null, body = 'messages') {
  return members.post('/raft', body, authorization === null ? {} : { authorization });
}

describe('the peer route', () => {
  it('is not there without a secret', async () => {
    for (const variables of [{ ETCD_NAME: 'm1' }, { ETCD_NAME: 'm1', PEER_SECRET: '' }]) {
      const response = await send(new FakeMembers(variables), 'Bearer ');
      expect(response.status).toBe(404);
      expect(await response.text()).toBe('404 page not found\n');
    }
  });

  it.each([
    [null, 401],
    ['', 401],
    ['Bearer', 401],
    [`Basic ${SECRET}`, 401],
    ['Bearer wrong', 403],
    [`Bearer ${SECRET}!`, 403],
    [`Bearer ${SECRET.slice(1)}`, 403],
    [`Bearer ${SECRET.toUpperCase()}`, 403],
  ])('refuses %s', async (authorization, status) => {
    const members = new FakeMembers(federation);
    expect((await send(members, authorization)).status).toBe(status);
    expect(members.seen).toEqual([]);
  });

  it('passes bytes in and out', async () => {
    const members = new FakeMembers({ ...federation, ALLOW_NONE_AUTHENTICATION: '' });
    const response = await send(members, `Bearer ${SECRET}`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/cbor');
    expect(await response.text()).toBe('answer to messages');
    expect(members.seen).toMatchObject([{ object: 'edgetcd/m1', body: 'messages' }]);
  });

  it('hands a connection over to the member, with the secret only', async () => {
    const members = new FakeMembers(federation);
    const upgrade = { upgrade: 'websocket' };
    expect((await members.fetch('/raft', { headers: upgrade })).status).toBe(401);
    expect(members.seen).toEqual([]);
    const headers = { ...upgrade, authorization: `Bearer ${SECRET}` };
    expect(await (await members.fetch('/raft', { headers })).text()).toBe('switched');
    expect(members.seen).toMatchObject([{ object: 'edgetcd/m1', body: 'upgrade' }]);
  });

  it('takes nothing else than messages and connections', async () => {
    const headers = { authorization: `Bearer ${SECRET}` };
    const response = await new FakeMembers(federation).fetch('/raft', { headers });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
  });

  it('needs to know which member is meant', async () => {
    const members = new FakeMembers({ PEER_SECRET: SECRET });
    const authorization = `Bearer ${SECRET}`;
    expect((await send(members, authorization)).status).toBe(404);
    const headers = { authorization, 'x-etcd-endpoint': 'm3' };
    expect((await members.post('/raft', 'messages', headers)).status).toBe(200);
    expect(members.asked).toEqual(['m3']);
  });

  it('is bounded', async () => {
    const members = new FakeMembers(federation);
    const body = 'x'.repeat(limits.peerBodyBytesMax + 1);
    expect((await send(members, `Bearer ${SECRET}`, body)).status).toBe(429);
    expect(members.seen).toEqual([]);
  });

  it('says that the member was lost', async () => {
    const members = new FakeMembers(federation);
    members.behave('m1', () => platformError('Network connection lost.'));
    const response = await send(members, `Bearer ${SECRET}`);
    expect(response.status).toBe(503);
    expect(await response.text()).toBe('Network connection lost.\n');
  });
});

it('compares secrets by their bytes', () => {
  expect(equalSecrets('é', 'é')).toBe(true);
  expect(equalSecrets('e', 'é')).toBe(false);
  expect(equalSecrets('abc', 'abd')).toBe(false);
  expect(equalSecrets('', 'abc')).toBe(false);
});
