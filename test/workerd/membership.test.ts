import { abortAllDurableObjects, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, expect, it } from 'vitest';
import { base64, post, put, readValue, until, untilWritable } from './client.ts';

/** One story of one cluster, step by step: every step needs the ones before it. */
beforeAll(async () => {
  for (const member of ['m1', 'm2', 'm3']) await untilWritable(member);
});

interface Member {
  readonly ID: string;
  readonly name?: string;
  readonly peerURLs: readonly string[];
  readonly isLearner?: boolean;
}

async function members(endpoint?: string): Promise<readonly Member[]> {
  const { json } = await post('/v3/cluster/member/list', { linearizable: true }, endpoint);
  return (json['members'] ?? []) as readonly Member[];
}

async function idAt(url: string): Promise<string> {
  const found = (await members()).find(({ peerURLs }) => peerURLs.includes(url));
  if (!found) throw new Error(`nobody is at ${url}`);
  return found.ID;
}

async function leaderName(): Promise<string> {
  const { json } = await until(
    () => post('/v3/maintenance/status', {}),
    ({ json: status }) => status['leader'] !== undefined,
  );
  const leader = (await members()).find(({ ID }) => ID === json['leader']);
  return leader?.name ?? '';
}

/** Asks as soon as the cluster is well again after the last change. */
function change(path: string, body: object) {
  return until(
    () => post(`/v3/cluster/member/${path}`, body),
    ({ text }) => !/unhealthy|leader|timed out/.test(text),
  );
}

it('a name that is no member’s is refused', async () => {
  expect((await post('/v3/kv/range', { key: 'YQ==' }, 'm4')).status).toBe(404);
});

it.each(['m1', 'm2', 'm3'])('a member elsewhere is refused by %s', async (endpoint) => {
  const elsewhere = { peerURLs: ['http://127.0.0.1:2380'], isLearner: true };
  const { status, json } = await post('/v3/cluster/member/add', elsewhere, endpoint);
  expect([status, json['code']]).toEqual([400, 3]);
  expect(json['message']).toMatch(/^edgetcd: .* has to be do:\/\/NAME$/);
  expect(await members()).toHaveLength(3);
});

it('a learner is added by name and place, catches up, and serves what needs nobody else', async () => {
  await put('before', 'm4');
  const url = 'do://m4?location=weur';
  const added = await change('add', { peerURLs: [url], isLearner: true });
  expect(added.status).toBe(200);
  const again = await change('add', { peerURLs: [url], isLearner: true });
  // The id is the same for a second, as in etcd.
  expect(again.json['message']).toMatch(/^etcdserver: (Peer URLs|member ID) already exists?$/);
  const second = await change('add', { peerURLs: ['do://m5'], isLearner: true });
  expect(second.json['message']).toBe('etcdserver: too many learner members in cluster');

  const read = { key: base64('before'), serializable: true };
  const found = await until(
    () => post('/v3/kv/range', read, 'm4'),
    ({ json }) => json['count'] === '1',
  );
  expect(found.status).toBe(200);
  for (const [path, body] of [
    ['/v3/kv/range', { key: base64('before') }],
    ['/v3/kv/put', { key: base64('at'), value: '' }],
    ['/v3/cluster/member/list', {}],
    ['/v3/watch', { create_request: { key: base64('at') } }],
  ] as const) {
    const refused = await post(path, body, 'm4');
    expect(refused.text).toContain('rpc not supported for learner');
  }
  const { json: status } = await post('/v3/maintenance/status', {}, 'm4');
  expect(status['isLearner']).toBe(true);
});

it('it is promoted, and serves as any other', async () => {
  const ID = await idAt('do://m4?location=weur');
  const promoted = await until(
    () => change('promote', { ID }),
    ({ text }) => !text.includes('in sync'),
  );
  expect(promoted.status).toBe(200);
  const twice = await change('promote', { ID });
  expect(twice.json['message']).toBe('etcdserver: can only promote a learner member');
  await untilWritable('m4');
  expect((await put('by', 'm4', 'm4')).status).toBe(200);
  expect(await readValue('by', 'm1')).toBe('m4');
  expect((await members()).map(({ name }) => name).sort()).toEqual(['m1', 'm2', 'm3', 'm4']);
});

it('the leader is removed: another leads, it refuses, and stays removed', async () => {
  const leader = await leaderName();
  const removed = (await members()).find(({ name }) => name === leader);
  const { status } = await change('remove', { ID: removed?.ID });
  expect(status).toBe(200);
  await untilWritable();
  expect((await members()).map(({ name }) => name)).not.toContain(leader);
  const words = 'the member has been permanently removed from the cluster';
  const refusal = async () => {
    const stub = env.MEMBER.getByName(`edgetcd/${leader}`);
    const context = { token: null, timeoutMs: null, requireLeader: false };
    return (await stub.call('/v3/kv/range', '{"key":"YQ==","serializable":true}', context)).body;
  };
  await until(refusal, (body) => body.includes(words));
  await abortAllDurableObjects();
  await until(refusal, (body) => body.includes(words));
  await untilWritable();
  const { json } = await change('remove', { ID: removed?.ID });
  expect(json['message']).toBe('etcdserver: member not found');
  expect(await readValue('by')).toBe('m4');
});

it('a member that lost its database comes back as another one', async () => {
  const [lost] = (await members()).filter(({ name }) => name !== 'm4');
  const { name = '', ID = '' } = lost ?? {};
  const stub = env.MEMBER.getByName(`edgetcd/${name}`);
  await runInDurableObject(stub, async (_, { storage }) => {
    await storage.deleteAlarm();
    await storage.deleteAll();
  });
  await abortAllDurableObjects();
  await untilWritable();
  expect((await change('remove', { ID })).status).toBe(200);
  const added = await change('add', { peerURLs: [`do://${name}`] });
  expect(added.status).toBe(200);
  expect(await idAt(`do://${name}`)).not.toBe(ID);
  await untilWritable(name);
  expect(await readValue('by', name)).toBe('m4');
});

it('hashes are equal on all members', async () => {
  await untilWritable();
  const names = (await members()).map(({ name = '' }) => name);
  const hashes = async () => {
    const all = await Promise.all(names.map((name) => post('/v3/maintenance/hashkv', {}, name)));
    return new Set(all.map(({ json }) => `${json['hash']} ${json['hash_revision']}`)).size;
  };
  expect(await until(hashes, (different) => different === 1)).toBe(1);
});
