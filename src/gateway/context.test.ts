import { describe, expect, it } from 'vitest';
import { callContext } from './context.ts';
import { FakeMembers } from './fake_members.ts';

const contextOf = (headers: Record<string, string>) => callContext(new Headers(headers));

describe('Grpc-Timeout', () => {
  it.each([
    ['5S', 5_000],
    ['100m', 100],
    ['2H', 7_200_000],
    ['3M', 180_000],
    ['1u', 0.001],
    ['1n', 0.000001],
    ['-1S', -1_000],
    ['0S', null],
    ['', null],
  ])('%s', (header, timeoutMs) => {
    expect(contextOf({ 'grpc-timeout': header }).timeoutMs).toBe(timeoutMs);
  });

  it.each(['zz', '5', 'S', '5s', '1.5S', '5 S', '1e3S', '99999999999999999999S'])(
    'refuses %s in the words of grpc-gateway',
    async (header) => {
      const members = new FakeMembers();
      const response = await members.post('/v3/kv/range', '{}', { 'grpc-timeout': header });
      expect(response.status).toBe(400);
      const message = `invalid grpc-timeout: ${header}`;
      expect(await response.json()).toEqual({ error: message, message, code: 3 });
      expect(members.seen).toEqual([]);
    },
  );
});

describe('the token', () => {
  it.each([
    [{}, null],
    [{ authorization: 'abc.1' }, 'abc.1'],
    [{ authorization: 'Bearer abc.1' }, 'abc.1'],
    [{ authorization: '' }, ''],
    [{ 'grpc-metadata-token': 'abc.1' }, 'abc.1'],
    [{ 'grpc-metadata-authorization': 'abc.1' }, 'abc.1'],
    [{ 'grpc-metadata-token': 'abc.1', authorization: 'other' }, 'abc.1'],
    [{ token: 'abc.1' }, null],
  ])('%j', (headers, token) => {
    expect(contextOf(headers).token).toBe(token);
  });
});

it('requires a leader only for the word true', () => {
  expect(contextOf({ 'grpc-metadata-hasleader': 'true' }).requireLeader).toBe(true);
  expect(contextOf({ 'grpc-metadata-hasleader': 'yes' }).requireLeader).toBe(false);
  expect(contextOf({}).requireLeader).toBe(false);
});

it('reaches the member', async () => {
  const members = new FakeMembers();
  await members.post('/v3/kv/range', '{}', { authorization: 't', 'grpc-timeout': '1S' });
  expect(members.seen[0]?.context).toEqual({ token: 't', timeoutMs: 1_000, requireLeader: false });
});
