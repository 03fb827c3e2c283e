import { env, exports } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { type KeysRequest, parseKeysRequest } from '../../src/api/v2/keys_request.ts';
import { limits } from '../../src/config.ts';
import { untilWritable } from './client.ts';

const MEMBERS = ['m1', 'm2', 'm3'] as const;

beforeAll(async () => {
  for (const member of MEMBERS) await untilWritable(member);
});

interface Node {
  readonly key: string;
  readonly value?: string;
  readonly ttl?: number;
  readonly nodes?: readonly Node[];
  readonly createdIndex: number;
}

interface Answer {
  readonly status: number;
  readonly index: number;
  readonly errorCode?: number;
  readonly node?: Node;
  readonly cause?: string;
}

async function send(method: string, path: string, value?: string, at?: string): Promise<Answer> {
  const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' };
  if (at !== undefined) headers['x-etcd-endpoint'] = at;
  const body = value === undefined ? {} : { body: new URLSearchParams({ value }).toString() };
  const request = new Request(`http://edge.example${path}`, { method, headers, ...body });
  const response = await exports.default.fetch(request);
  const json = (await response.json()) as Omit<Answer, 'status' | 'index'>;
  return { ...json, status: response.status, index: Number(response.headers.get('x-etcd-index')) };
}

async function newToken(size: number | string): Promise<string> {
  const response = await exports.default.fetch(`http://edge.example/new?size=${size}`);
  return new URL(await response.text()).pathname;
}

const who = (i: number) => `n${i}=http://10.0.0.${i}:2380`;

describe('the discovery service of three members of one deployment', () => {
  it('gives a token that ends by itself, and whose size is written once', async () => {
    const token = await newToken(2);
    for (const at of MEMBERS) {
      const { node } = await send('GET', `${token}/_config/size?quorum=true`, undefined, at);
      expect(node?.value).toBe('2');
    }
    const { node } = await send('GET', `${token}?quorum=false&recursive=false&sorted=false`);
    expect(node?.nodes).toBeUndefined();
    expect(node?.ttl).toBeGreaterThan(167 * 3_600);
    expect(await send('PUT', `${token}/_config/size`, '5')).toMatchObject({
      status: 412,
      errorCode: 105,
    });
  });

  it.each(['0', '-1', '32', 'three', '', '1e1', '99999'])('refuses the size "%s"', async (size) => {
    const response = await exports.default.fetch(`http://edge.example/new?size=${size}`);
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(/^unable to generate token: Invalid active size/);
    const token = crypto.randomUUID().replaceAll('-', '');
    expect(await send('PUT', `/${token}/_config/size`, size)).toMatchObject({ errorCode: 403 });
    expect(await send('GET', `/${token}`)).toMatchObject({ errorCode: 100 });
  });

  it('is used by members in the order of requests that etcd has', async () => {
    const token = await newToken(2);
    const first = await send('PUT', `${token}/1a?prevExist=false`, who(1));
    expect(first).toMatchObject({ status: 201, node: { value: who(1) } });
    const own = first.node?.createdIndex ?? 0;
    const seen = await send('GET', `${token}/1a?recursive=false&wait=true&waitIndex=${own}`);
    expect(seen.node).toEqual(first.node);
    const { index } = await send('GET', `${token}?quorum=false&recursive=false&sorted=false`);
    const waiting = send('GET', `${token}?recursive=true&wait=true&waitIndex=${index + 1}`);
    await send('PUT', `${token}/2b?prevExist=false`, who(2));
    expect(await waiting).toMatchObject({ status: 200, node: { value: who(2) } });
    // The same by the other path, for whoever was told that one.
    const { node } = await send('GET', `/v2/keys/discovery${token}`);
    const nodes = [...(node?.nodes ?? [])].sort((a, b) => a.createdIndex - b.createdIndex);
    expect(nodes.map(({ value }) => value)).toEqual([who(1), who(2)]);
    expect(await send('PUT', `${token}/1a?prevExist=false`, who(9))).toMatchObject({
      status: 412,
      errorCode: 105,
    });
    expect(await send('PUT', `${token}/1a`, who(9))).toMatchObject({ errorCode: 105 });
  });

  it('ends a token with all that is in it, and tells those who wait', async () => {
    const token = crypto.randomUUID().replaceAll('-', '');
    const path = `/discovery/${token}/_config/size`;
    const keys = parseKeysRequest('PUT', path, '', 'value=3') as KeysRequest;
    const request = { keys, target: { token, part: 'size' }, ttlSeconds: 3 } as const;
    const made = await env.MEMBER.getByName('edgetcd/m1').v2({ kind: 'discovery', request }, null);
    expect(made.status).toBe(201);
    const { index } = await send('PUT', `/${token}/1a`, who(1));
    const wait = `/${token}?recursive=true&wait=true&waitIndex=${index + 1}`;
    const event = (await send('GET', wait, undefined, 'm2')) as Answer & { action: string };
    expect([event.action, event.node?.key]).toEqual(['expire', `/discovery/${token}`]);
    for (const at of MEMBERS) {
      const gone = await send('GET', `/${token}/1a?quorum=true`, undefined, at);
      expect(gone.errorCode).toBe(100);
    }
    expect(await send('PUT', `/${token}/2b`, who(2))).toMatchObject({ errorCode: 100 });
  });

  it('takes a token of its user among the keys', async () => {
    const path = `/v2/keys/discovery/${crypto.randomUUID().replaceAll('-', '')}`;
    expect(await send('PUT', `${path}/1a`, who(1))).toMatchObject({ status: 404, errorCode: 100 });
    expect(await send('PUT', `${path}/_config/size`, '1')).toMatchObject({ status: 201 });
    expect(await send('PUT', `${path}/1a`, who(1))).toMatchObject({ status: 201 });
  });

  it.each([
    ['1A', who(1)],
    ['01', who(1)],
    ['12345678901234567', who(1)],
    ['1a/2b', who(1)],
    ['_config', who(1)],
    ['1a', 'n1'],
    ['1a', ''],
    ['1a', 'n1=10.0.0.1:2380'],
    ['1a', 'n1=do://m1'],
    ['1a', `${who(1)},${who(2)}`],
    ['1a', `n1=http://${'a'.repeat(limits.discoveryValueBytesMax)}:1`],
  ])('refuses to register %s as %s', async (id, value) => {
    const token = await newToken(3);
    expect(await send('PUT', `${token}/${id}`, value)).toMatchObject({
      status: 400,
      errorCode: 209,
    });
  });

  it('records a member with several URLs', async () => {
    const value = 'n1=http://10.0.0.1:2380,n1=http://10.0.0.1:7001';
    expect(await send('PUT', `${await newToken(1)}/1a`, value)).toMatchObject({ status: 201 });
  });

  it('records no more than may have come at the same moment', async () => {
    const token = await newToken(1);
    const places = 1 + limits.discoverySpareEntries;
    for (let i = 1; i <= places; i++) {
      expect((await send('PUT', `${token}/${i.toString(16)}`, who(i))).status).toBe(201);
    }
    expect(await send('PUT', `${token}/ff`, who(99))).toMatchObject({
      status: 400,
      errorCode: 103,
    });
    expect(await send('PUT', `${token}/1`, who(1))).toMatchObject({ errorCode: 105 });
  });
});

describe('where v2 asks for names and passwords', () => {
  const root = { authorization: `Basic ${btoa('root:pw')}` };
  const admin = (method: string, path: string, body?: object) =>
    exports.default.fetch(
      new Request(`http://edge.example/v2/auth/${path}`, {
        method,
        headers: { ...root, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );

  it('a token is enough for what is under it, and for nothing else', async () => {
    await admin('PUT', 'users/root', { user: 'root', password: 'pw' });
    expect((await admin('PUT', 'enable')).status).toBe(200);
    try {
      expect((await admin('DELETE', 'roles/guest')).status).toBe(200);
      const token = await newToken(2);
      const { node } = await send('PUT', `${token}/1a`, who(1));
      expect(node?.value).toBe(who(1));
      const wait = `recursive=true&wait=true&waitIndex=${node?.createdIndex}`;
      for (const path of [token, `/v2/keys/discovery${token}`]) {
        expect((await send('GET', `${path}?${wait}`)).node?.value).toBe(who(1));
      }
      for (const path of ['/v2/keys/discovery', '/v2/keys/', '/v2/keys/discovery?recursive=true']) {
        expect((await send('GET', path)).errorCode).toBe(110);
      }
    } finally {
      expect((await admin('DELETE', 'enable')).status).toBe(200);
    }
  });
});
