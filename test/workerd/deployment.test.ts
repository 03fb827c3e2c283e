import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { decodeReply, encodeFrame } from '../../src/transport/frame.ts';
import worker from '../../src/worker.ts';
import { type Answer, answerOf, until } from './client.ts';

type Vars = Readonly<Record<string, string>>;

/** A request to the same Worker in a deployment with other variables. */
function ask(vars: Vars, path: string, init: RequestInit = {}): Promise<Answer> {
  const request = new Request(`http://edge.example${path}`, init);
  return answerOf(worker.fetch(request, { ...env, ...vars }));
}

const PUT = { method: 'POST', body: '{"key":"YQ=="}' };

describe('a deployment whose operator has not decided who is served', () => {
  it('is not opened to readers of metrics by another word than yes', async () => {
    for (const word of ['', 'true', '1', 'YES', ' yes']) {
      const { status, json } = await ask({ ALLOW_NONE_AUTHENTICATION: word }, '/metrics');
      expect([status, json['code']]).toEqual([503, 14]);
      expect(json['message']).toMatch(/EDGETCD_METRICS_TOKEN/);
    }
  });
});

const NOT_ADDED = 'waiting to be added: no member of the cluster has the peer URL do://m9';

describe('a deployment with wrong settings', () => {
  it('says which when the members cannot be told', async () => {
    const { status, json } = await ask({ ETCD_INITIAL_CLUSTER: 'nonsense' }, '/v3/kv/put', PUT);
    expect(status).toBeGreaterThanOrEqual(500);
    expect(json['message']).toBe('ETCD_INITIAL_CLUSTER: "nonsense" is not name=value');
  });

  it('says which when a member cannot start', async () => {
    // The member's own variables name m1, m2 and m3: it takes itself for one that is to be added.
    const vars = { ETCD_INITIAL_CLUSTER: 'm9=do://m9' };
    const { status, json } = await until(
      () => ask(vars, '/v3/kv/put', PUT),
      ({ text }) => text.includes(NOT_ADDED),
    );
    const message = `etcdserver: ${NOT_ADDED}`;
    expect([status, json]).toEqual([503, { error: message, code: 14, message }]);
    const health = await ask(vars, '/health');
    expect(health.status).toBe(503);
    expect(health.json['health']).toBe('false');
    expect(health.text).toContain(NOT_ADDED);
    expect((await ask(vars, '/metrics')).status).toBe(200);
  });

  it('tells peers why a member cannot start', async () => {
    const sender = { clusterId: 'c', memberId: 'a', databaseId: 'd' };
    const frame = encodeFrame({ sender, body: { kind: 'messages', messages: [] } });
    const member = env.MEMBER.getByName('edgetcd/m9');
    const answer = await member.raft(frame.slice().buffer as ArrayBuffer);
    const { status, reason } = decodeReply(new Uint8Array(answer));
    expect([status, reason]).toEqual(['starting', NOT_ADDED]);
  });
});

describe('the route of peers, from outside', () => {
  const secret = 'a secret of members';
  const member = { ETCD_NAME: 'm1', PEER_SECRET: secret };
  const bearer = (text: string) => ({ authorization: `Bearer ${text}` });

  it.each(['GET', 'POST'])('does not exist without a secret: %s', async (method) => {
    const { status } = await ask({}, '/raft', { method, headers: bearer('') });
    expect(status).toBe(404);
  });

  it.each([
    ['no secret', {}, 401],
    ['another secret', bearer('guessed'), 403],
    ['the beginning of it', bearer(secret.slice(0, -1)), 403],
    ['an empty one', bearer(''), 401],
  ])('is shut to %s', async (_, headers, status) => {
    const body = new Uint8Array(8);
    expect((await ask(member, '/raft', { method: 'POST', headers, body })).status).toBe(status);
    const upgrade = { headers: { ...headers, upgrade: 'websocket' } };
    expect((await ask(member, '/raft', upgrade)).status).toBe(status);
  });
});
