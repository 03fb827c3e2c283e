import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { ERRORS } from '../api/error.ts';
import { probeMember } from './probe.ts';

describe('probeMember', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  /** A member that gives these answers. */
  async function member(health: [number, string], status: [number, string]): Promise<string> {
    server = createServer((request, response) => {
      const [code, body] = request.url === '/health' ? health : status;
      response.writeHead(code).end(body);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  const healthy: [number, string] = [200, '{"health":"true"}'];

  test('a leader is known', async () => {
    const url = await member(healthy, [200, '{"header":{"member_id":"7"},"leader":"9"}']);
    expect(await probeMember(url, 1_000)).toEqual({ state: 'ready', memberId: '7', leaderId: '9' });
  });

  test('no leader yet', async () => {
    const url = await member(
      [503, '{"health":"false","reason":"RAFT NO LEADER"}'],
      [200, '{"header":{"member_id":"7"}}'],
    );
    expect(await probeMember(url, 1_000)).toEqual({ state: 'waiting', reason: 'no leader' });
  });

  test('a member that will not serve says why', async () => {
    const url = await member([503, '{"health":"false","reason":"lost its data"}'], [503, '{}']);
    expect(await probeMember(url, 1_000)).toEqual({ state: 'refused', reason: 'lost its data' });
  });

  test('a member that tells strangers no more than that it is well', async () => {
    for (const refusal of [400, 401, 503]) {
      const url = await member(healthy, [refusal, '{"message":"etcdserver: user name is empty"}']);
      const probe = await probeMember(url, 1_000);
      expect(probe).toEqual({ state: 'ready', memberId: null, leaderId: null });
      server?.close();
    }
  });

  test('a member that serves nobody', async () => {
    const [, message] = ERRORS.closed;
    const url = await member(healthy, [503, JSON.stringify({ code: 14, message })]);
    const probe = await probeMember(url, 1_000);
    expect(probe).toEqual({ state: 'ready', memberId: null, leaderId: null, closed: true });
  });

  test('nobody there', async () => {
    const url = await member(healthy, healthy);
    server?.close();
    expect(await probeMember(url, 1_000)).toMatchObject({
      state: 'waiting',
      reason: expect.stringContaining('ECONNREFUSED'),
    });
  });
});
