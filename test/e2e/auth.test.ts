import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';

const workshop = new Workshop();
afterAll(() => workshop.clear());

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** One call of a method at one member, with a token or without. */
async function call(
  endpoint: string,
  method: string,
  body: unknown,
  token?: string,
): Promise<Answer> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: token };
  const init = { method: 'POST', body: JSON.stringify(body), headers };
  const response = await fetch(`${endpoint}/v3/${method}`, init);
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

async function logIn(endpoint: string, name: string, password: string): Promise<string> {
  const { status, body } = await call(endpoint, 'auth/authenticate', { name, password });
  expect([status, body['message']]).toEqual([200, undefined]);
  return String(body['token']);
}

const KEY = { key: btoa('a') };

describe('a cluster on the public internet', () => {
  let cluster: RunningCluster;
  let first = '';
  const environment = { ALLOW_NONE_AUTHENTICATION: 'no', EDGETCD_METRICS_TOKEN: 'for prometheus' };

  beforeAll(async () => {
    cluster = await workshop.launch({
      dataDir: workshop.dataDir(),
      port: await freeFirstPort(),
      env: { ...environment, ETCD_ROOT_PASSWORD: 'hunter2' },
    });
    first = must(cluster.endpoints[0], 'a member');
  }, 60_000);

  it('lets nobody in but root, by the password that it was given', async () => {
    for (const endpoint of cluster.endpoints) {
      const { status, body } = await call(endpoint, 'kv/range', KEY);
      expect([status, body['message']]).toEqual([400, 'etcdserver: user name is empty']);
    }
    const token = await logIn(first, 'root', 'hunter2');
    for (const endpoint of cluster.endpoints) {
      expect((await call(endpoint, 'kv/range', KEY, token)).status).toBe(200);
    }
    const wrong = { name: 'root', password: 'hunter3' };
    expect((await call(first, 'auth/authenticate', wrong)).status).toBe(400);
  });

  it('says how it is to everybody, and its figures to whom they are for', async () => {
    expect((await fetch(`${first}/health`)).status).toBe(200);
    const figures = (headers: Record<string, string>) => fetch(`${first}/metrics`, { headers });
    expect((await figures({})).status).toBe(401);
    expect((await figures({ authorization: 'Bearer for prometheus' })).status).toBe(200);
  });

  it('keeps users to what they may do, tokens included, when members are killed', async () => {
    const root = await logIn(first, 'root', 'hunter2');
    const role = { permType: 'READWRITE', key: btoa('a'), range_end: btoa('b') };
    for (const [method, body] of [
      ['auth/user/add', { name: 'ann', password: 'secret' }],
      ['auth/role/add', { name: 'r' }],
      ['auth/role/grant', { name: 'r', perm: role }],
      ['auth/user/grant', { user: 'ann', role: 'r' }],
    ] as const) {
      expect((await call(first, method, body, root)).status).toBe(200);
    }
    const ann = await logIn(must(cluster.endpoints[1], 'a second'), 'ann', 'secret');
    const works = async () => {
      for (const endpoint of cluster.endpoints) {
        expect((await call(endpoint, 'kv/put', { ...KEY, value: '' }, ann)).status).toBe(200);
        expect((await call(endpoint, 'kv/put', { key: btoa('b') }, ann)).status).toBe(403);
      }
    };
    await works();
    for (const name of cluster.names) await cluster.killAndAwaitReturn(name);
    await works();
    expect((await call(first, 'auth/user/delete', { name: 'ann' }, root)).status).toBe(200);
    for (const endpoint of cluster.endpoints) {
      expect((await call(endpoint, 'kv/range', KEY, ann)).status).toBe(401);
    }
  }, 120_000);
});

describe('a closed cluster without a password of root', () => {
  it('serves nobody, and names the ways in', async () => {
    const [endpoint = ''] = (
      await workshop.launch({
        dataDir: workshop.dataDir(),
        port: await freeFirstPort(1),
        size: 1,
        env: { ALLOW_NONE_AUTHENTICATION: '' },
      })
    ).endpoints;
    for (const method of ['kv/put', 'kv/range', 'auth/authenticate', 'maintenance/status']) {
      const { status, body } = await call(endpoint, method, KEY);
      expect(status).toBe(503);
      expect(body['message']).toMatch(/ETCD_ROOT_PASSWORD.*ALLOW_NONE_AUTHENTICATION=yes/);
    }
  }, 60_000);
});

describe('signed tokens', () => {
  it('are good at every member, until users change', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const cluster = await workshop.launch({
      dataDir: workshop.dataDir(),
      port: await freeFirstPort(),
      env: {
        ETCD_ROOT_PASSWORD: 'hunter2',
        ETCD_JWT_PUBLIC: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
        ETCD_JWT_PRIVATE: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        ETCD_AUTH_TOKEN:
          'jwt,pub-key=$ETCD_JWT_PUBLIC,priv-key=$ETCD_JWT_PRIVATE,sign-method=ES256,ttl=5m',
      },
    });
    const [first = ''] = cluster.endpoints;
    const token = await logIn(first, 'root', 'hunter2');
    expect(token.split('.')).toHaveLength(3);
    for (const endpoint of cluster.endpoints) {
      expect((await call(endpoint, 'kv/range', KEY, `Bearer ${token}`)).status).toBe(200);
    }
    await call(first, 'auth/user/add', { name: 'ann', password: 'x' }, token);
    for (const endpoint of cluster.endpoints) {
      const { status, body } = await call(endpoint, 'kv/range', KEY, token);
      const old = 'etcdserver: revision of auth store is old';
      expect([status, body['message']]).toEqual([400, old]);
    }
    const again = await logIn(first, 'root', 'hunter2');
    expect((await call(first, 'kv/range', KEY, again)).status).toBe(200);
  }, 90_000);
});
