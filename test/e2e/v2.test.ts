import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { eventually, freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';
import { filesAt, type V2Answer, v2 } from './v2_client.ts';

const workshop = new Workshop();
let port = 0;
let dataDir = '';

beforeEach(async () => {
  port = await freeFirstPort();
  dataDir = workshop.dataDir();
});
afterEach(() => workshop.clear());

const endpoint = ({ endpoints }: RunningCluster, i: number): string =>
  must(endpoints[i % endpoints.length], 'a member of the cluster');

/** Asks one member after the other, as clients of v2 do. What failed may have happened. */
async function anywhere(
  cluster: RunningCluster,
  from: number,
  ask: (url: string) => Promise<V2Answer>,
): Promise<V2Answer> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask(endpoint(cluster, from + attempt));
    } catch (error) {
      if (attempt > 100) throw error;
      await sleep(50);
    }
  }
}

/** Counts up by compare-and-swap, whatever becomes of a single answer. */
async function countUp(cluster: RunningCluster, id: number, until: () => boolean): Promise<void> {
  while (!until()) {
    const { node } = await anywhere(cluster, id, (url) =>
      v2(url, 'GET', '/count', { quorum: true }),
    );
    const form = { value: Number(node.value) + 1, prevIndex: node.modifiedIndex };
    try {
      const { errorCode } = await v2(endpoint(cluster, id), 'PUT', '/count', form);
      expect([0, 101]).toContain(errorCode);
    } catch {
      await sleep(50);
    }
  }
}

interface Change {
  readonly index: number;
  readonly value: string;
}

/** Follows a tree by waitIndex, from one member to the next, as etcd's clients do. */
async function follow(
  cluster: RunningCluster,
  after: number,
  seen: Change[],
  until: () => boolean,
): Promise<void> {
  let next = after + 1;
  for (let at = 0; !until(); at++) {
    const form = { wait: true, recursive: true, waitIndex: next };
    try {
      const options = { timeoutMs: 1_000 };
      const { node } = await v2(endpoint(cluster, at), 'GET', '/', form, options);
      seen.push({ index: node.modifiedIndex, value: node.value ?? '' });
      next = node.modifiedIndex + 1;
    } catch {
      await sleep(20);
    }
  }
}

describe('the v2 API of a local cluster', () => {
  test('swaps linearizably, and tells every change once and in order, under kills', async () => {
    // A member that was away comes back by a snapshot.
    const env = { ETCD_SNAPSHOT_COUNT: '50', ETCD_SNAPSHOT_CATCHUP_ENTRIES: '5' };
    const cluster = await workshop.launch({ dataDir, port, env });
    const first = await v2(endpoint(cluster, 0), 'PUT', '/count', { value: '0' });
    expect(first).toMatchObject({ status: 201, action: 'set' });
    let over = false;
    const seen: Change[] = [];
    const following = follow(cluster, first.index, seen, () => over);
    const counting = Promise.all([0, 1, 2].map((id) => countUp(cluster, id, () => over)));
    for (const name of cluster.names) await cluster.killAndAwaitReturn(name);
    // Whoever was killed may have led each time, and there was an election all the while.
    await eventually('the count has gone on', 30_000, () => seen.length > 20);
    over = true;
    await counting;
    const last = await anywhere(cluster, 0, (url) => v2(url, 'GET', '/count', { quorum: true }));
    // Each swap was made on what the one before it had written: no number is there twice.
    await following;
    expect(seen.length).toBeGreaterThan(20);
    const numbers = seen.map(({ value }) => Number(value));
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    expect(Number(last.node.value)).toBeGreaterThanOrEqual(numbers.length);
    const indices = seen.map(({ index }) => index);
    expect(indices).toEqual([...new Set(indices)].sort((a, b) => a - b));
  });

  test('keeps the tree, and ends what has a time to live, through a power failure', async () => {
    const cluster = await workshop.launch({ dataDir, port });
    for (let i = 0; i < 30; i++) {
      const path = `/d${i % 3}/f${i}`;
      await v2(endpoint(cluster, i), 'PUT', path, { value: `v${i}` });
    }
    await v2(endpoint(cluster, 0), 'DELETE', '/d2', { recursive: true });
    await v2(endpoint(cluster, 1), 'PUT', '/gone', { value: 'x', ttl: 3 });
    const { node } = await v2(endpoint(cluster, 2), 'POST', '/queue', { value: 'first' });
    const before = await filesAt(endpoint(cluster, 0), '/');
    expect(Object.keys(before)).toHaveLength(22);
    await cluster.killEverything();

    const again = await workshop.launch({ dataDir, port });
    const { '/gone': _, ...rest } = before;
    for (const url of again.endpoints) {
      await eventually('the node has ended', 15_000, async () => {
        return (await v2(url, 'GET', '/gone')).errorCode === 100;
      });
      expect(await filesAt(url, '/')).toEqual(rest);
    }
    // At the same index on all members.
    const ends = await Promise.all(
      again.endpoints.map((url) =>
        v2(url, 'GET', '/gone', { wait: true, waitIndex: node.modifiedIndex + 1 }),
      ),
    );
    expect(new Set(ends.map(({ action }) => action))).toEqual(new Set(['expire']));
    expect(new Set(ends.map(({ node: { modifiedIndex } }) => modifiedIndex)).size).toBe(1);
    const next = await v2(endpoint(again, 0), 'POST', '/queue', { value: 'second' });
    expect(next.node.key > node.key).toBe(true);
  });

  test('asks for users and passwords once that is enabled', async () => {
    const cluster = await workshop.launch({ dataDir, port });
    const admin = async (method: string, path: string, body?: unknown, user?: string) => {
      const response = await fetch(`${endpoint(cluster, 0)}/v2/auth/${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        headers: user === undefined ? {} : { authorization: `Basic ${btoa(user)}` },
      });
      return response.status;
    };
    expect(await admin('PUT', 'users/root', { user: 'root', password: 'r' })).toBe(201);
    const permissions = { kv: { read: ['/a/*'], write: ['/a/*'] } };
    expect(await admin('PUT', 'roles/r', { role: 'r', permissions })).toBe(201);
    expect(await admin('PUT', 'users/bob', { user: 'bob', password: 'b' })).toBe(201);
    expect(await admin('PUT', 'users/bob', { user: 'bob', grant: ['r'] })).toBe(200);
    expect(await admin('PUT', 'enable')).toBe(200);
    expect(await admin('DELETE', 'roles/guest')).toBe(401);
    // The head comes when it has begun to wait.
    const waiting = await fetch(`${endpoint(cluster, 1)}/v2/keys/x?wait=true`, {
      signal: AbortSignal.timeout(20_000),
    });
    expect(await admin('DELETE', 'roles/guest', undefined, 'root:r')).toBe(200);
    // Whoever waits as a guest has lost the right to: the answer ends without an event.
    expect([waiting.status, await waiting.text()]).toEqual([200, '']);
    const asked = async (path: string, user?: string) => {
      const url = endpoint(cluster, 2);
      const { status } = await v2(url, 'PUT', path, { value: 'x' }, user ? { user } : {});
      return status;
    };
    await eventually('the last change is known everywhere', 20_000, async () => {
      return (await asked('/x')) === 401;
    });
    expect(await asked('/a/x', 'bob:b')).toBe(201);
    expect(await asked('/a/x', 'bob:wrong')).toBe(401);
    expect(await asked('/x', 'bob:b')).toBe(401);
    expect(await asked('/x', 'root:r')).toBe(201);
    expect(await admin('DELETE', 'enable', undefined, 'root:r')).toBe(200);
  });
});
