import { describe, expect, it } from 'vitest';
import { isRead, METHODS } from '../api/methods.ts';
import { FakeMembers, OK, platformError, REFUSED } from './fake_members.ts';

const PUT = '/v3/kv/put';
const RANGE = '/v3/kv/range';

describe('where requests go', () => {
  it('writes go to the leader that the last reply named', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => ({ ...OK, leader: 'm3' }));
    members.behave('m3', () => ({ ...OK, leader: 'm2' }));
    for (let i = 0; i < 3; i++) await members.post(PUT);
    expect(members.asked).toEqual(['m1', 'm3', 'm2']);
  });

  it('logins go elsewhere than the leader, where there is another', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => ({ ...OK, leader: 'm2' }));
    await members.post('/v3/auth/authenticate');
    await members.post(PUT);
    await members.post('/v3/auth/authenticate');
    expect(members.asked).toEqual(['m2', 'm1', 'm1']);
  });

  it('a leader elsewhere changes nothing', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => ({ ...OK, leader: 'abroad' }));
    await members.post(PUT);
    await members.post(PUT);
    expect(members.asked).toEqual(['m1', 'm1']);
  });

  it('reads go to the member near the client, writes do not', async () => {
    const members = new FakeMembers({ ETCD_LOCATION_HINTS: 'm1=enam,m2=weur,m3=apac' });
    const from = (continent: string, path: string) => {
      const request = new Request(`http://edge.example${path}`, { method: 'POST', body: '{}' });
      Object.defineProperty(request, 'cf', { value: { continent } });
      return members.send(request);
    };
    await from('EU', RANGE);
    await from('AS', RANGE);
    await from('AF', RANGE);
    await from('EU', PUT);
    await from('XX', RANGE);
    expect(members.asked).toEqual(['m2', 'm3', 'm2', 'm1', 'm1']);
    expect(members.hints).toEqual(['weur', 'apac', 'weur', 'enam', 'enam']);
  });

  it('a member of a federation asks itself alone', async () => {
    const members = new FakeMembers({
      ETCD_NAME: 'm2',
      ETCD_INITIAL_CLUSTER: 'm1=https://a.example,m2=https://b.example',
      EDGETCD_CLUSTER: 'blue',
    });
    await members.post(PUT);
    expect(members.seen[0]?.object).toBe('blue/m2');
  });

  it('without any configuration there is one member, with the name that etcd gives it', async () => {
    const members = new FakeMembers({ ETCD_INITIAL_CLUSTER: '' });
    await members.post(PUT);
    expect(members.asked).toEqual(['default']);
  });

  it('knows only methods that exist as reads', () => {
    const reads = METHODS.filter(({ path }) => isRead(path)).map(({ path }) => path);
    expect(reads).toHaveLength(16);
    for (const write of [PUT, '/v3/kv/txn', '/v3/lease/grant']) {
      expect(isRead(write)).toBe(false);
    }
  });
});

describe('X-Etcd-Endpoint', () => {
  it('chooses the member, and no other will do', async () => {
    const members = new FakeMembers();
    members.behave('m2', () => REFUSED);
    const response = await members.post(RANGE, '{}', { 'x-etcd-endpoint': 'm2' });
    expect(response.status).toBe(503);
    expect(members.asked).toEqual(['m2']);
  });

  it('must name a member', async () => {
    const members = new FakeMembers();
    const response = await members.post(RANGE, '{}', { 'x-etcd-endpoint': 'm9' });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      code: 5,
      message: 'etcdserver: member not found',
    });
    // The variables do not name members that were added later: the others know.
    expect(members.seen.map(({ path }) => path)).toEqual(['/members']);
  });
});

describe('when a member is of no use', () => {
  it('a read is asked of the others, each once', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => platformError('Network connection lost.', { retryable: true }));
    members.behave('m2', () => REFUSED);
    expect((await members.post(RANGE)).status).toBe(200);
    expect(members.asked).toEqual(['m1', 'm2', 'm3']);
  });

  it('a write that was lost is never repeated, not even when the platform calls it retryable', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => platformError('Network connection lost.', { retryable: true }));
    const response = await members.post(PUT);
    const message = 'etcdserver: request timed out, possibly due to connection lost';
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ error: message, message, code: 14 });
    expect(members.asked).toEqual(['m1']);
  });

  it('the next write starts at another member', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => platformError('Network connection lost.'));
    await members.post(PUT);
    expect((await members.post(PUT)).status).toBe(200);
    expect(members.asked).toEqual(['m1', 'm2']);
  });

  it('a write that was refused goes on, to the leader first', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => ({ ...REFUSED, leader: 'm3' }));
    expect((await members.post(PUT)).status).toBe(200);
    expect(members.asked).toEqual(['m1', 'm3']);
  });

  it('a write that was refused and then lost is not repeated either', async () => {
    const members = new FakeMembers();
    members.behave('m1', () => REFUSED);
    members.behave('m2', () => platformError('Network connection lost.'));
    expect((await members.post(PUT)).status).toBe(503);
    expect(members.asked).toEqual(['m1', 'm2']);
  });

  it('the last refusal is the answer when all refuse', async () => {
    const members = new FakeMembers();
    for (const name of ['m1', 'm2', 'm3']) {
      members.behave(name, () => ({ ...REFUSED, body: `{"by":"${name}"}` }));
    }
    const response = await members.post(PUT);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ by: 'm3' });
    expect(members.asked).toEqual(['m1', 'm2', 'm3']);
  });

  it.each([RANGE, PUT])(
    'an overloaded object is left alone, and so are its peers: %s',
    async (path) => {
      const members = new FakeMembers();
      members.behave('m1', () =>
        platformError('Durable Object is overloaded.', { overloaded: true }),
      );
      const response = await members.post(path);
      const message = 'etcdserver: too many requests';
      expect(response.status).toBe(503);
      expect(await response.json()).toEqual({ error: message, message, code: 14 });
      expect(members.asked).toEqual(['m1']);
    },
  );
});
