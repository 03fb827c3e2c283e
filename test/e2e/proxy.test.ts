import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Etcd } from '../../src/client/index.ts';
import { must } from '../../src/lib/assert.ts';
import { memberUrl } from '../../src/local/bindings.ts';
import { clientSuite } from '../client/suite.ts';
import { CallFailed, call, currentRevision, encode, get, put } from './client.ts';
import { eventually, freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';
import { freePorts, RealEtcd, withoutEtcd } from './real_etcd.ts';
import { v2 } from './v2_client.ts';
import { Watcher } from './watcher.ts';
import { openWebSocket } from './web_socket.ts';
import { checkHistory, runWriters } from './writers.ts';

const PORTS = 27_300;
const ETCD = '/usr/bin/etcd';
if (withoutEtcd !== null) console.log(`real proxies are not tried: ${withoutEtcd}`);

/** What a proxy, ours or etcd's, says of the members: the first is the one that is asked. */
async function endpointsOf(url: string): Promise<string[]> {
  const answer = await fetch(`${url}/v2/config/local/proxy`);
  return ((await answer.json()) as { endpoints: string[] }).endpoints;
}

/**
 * A wait hears of a change that comes through the same proxy. It waits from here on, by index:
 * etcd's proxy shows the head of an answer only with its body.
 */
async function isWritten(url: string, key: string): Promise<boolean> {
  return put(url, key, 'x').then(
    () => true,
    () => false,
  );
}

async function checkWait(url: string, key: string): Promise<void> {
  const { index } = await v2(url, 'GET', '/', { quorum: true });
  const waiting = fetch(`${url}/v2/keys${key}?wait=true&waitIndex=${index + 1}`);
  await sleep(200);
  await v2(url, 'PUT', key, { value: 'told' });
  expect(await (await waiting).json()).toMatchObject({ action: 'set', node: { value: 'told' } });
}

async function checkV2(url: string): Promise<void> {
  expect(await v2(url, 'PUT', '/set', { value: 'x' })).toMatchObject({ action: 'set' });
  const found = await v2(url, 'GET', '/set', { quorum: true });
  expect(found.node.value).toBe('x');
  expect((await v2(url, 'GET', '/none', { quorum: true })).errorCode).toBe(100);
  await checkWait(url, '/waited');
}

describe('a proxy before a cluster', () => {
  const workshop = new Workshop();
  let cluster: RunningCluster;
  let proxy = '';
  let readonly = '';

  beforeAll(async () => {
    cluster = await workshop.launch({ dataDir: workshop.dataDir(), port: await freeFirstPort() });
    const [first = '', second = ''] = cluster.endpoints;
    const [port = 0, readonlyPort = 0] = await freePorts(2, PORTS);
    const waits = ['--proxy-failure-wait', '1000', '--proxy-refresh-interval', '5000'];
    // One is told of one member, the other of two as their peers know them.
    proxy = await workshop.proxy(port, ['--endpoints', first, ...waits]);
    const peers = ['--initial-cluster', `m1=${first},m2=${second}`];
    readonly = await workshop.proxy(readonlyPort, ['--proxy', 'readonly', ...peers]);
  }, 60_000);
  afterAll(() => workshop.clear());

  test('finds all members by one', async () => {
    for (const url of [proxy, readonly]) {
      expect((await endpointsOf(url)).sort()).toEqual([...cluster.endpoints].sort());
    }
  });

  test('serves the v2 API', async () => {
    await checkV2(proxy);
    const waiting = await fetch(`${proxy}/v2/keys/once?wait=true`);
    await v2(proxy, 'PUT', '/once', { value: 'told' });
    expect(await waiting.json()).toMatchObject({ node: { value: 'told' } });
    const stream = await fetch(`${proxy}/v2/keys/tree?wait=true&recursive=true&stream=true`);
    const lines = must(stream.body, 'a stream').pipeThrough(new TextDecoderStream()).getReader();
    for (const value of ['one', 'two']) {
      await v2(proxy, 'PUT', '/tree/leaf', { value });
      expect((await lines.read()).value).toContain(`"value":"${value}"`);
    }
    await lines.cancel();
  });

  test('serves server-sent events', async () => {
    const revision = (await currentRevision(proxy)) + 1;
    const query = `key=${encodeURIComponent(encode('sse'))}&start_revision=${revision}`;
    const headers = { accept: 'text/event-stream' };
    const events = await fetch(`${proxy}/v3/watch?${query}`, { headers });
    expect(events.headers.get('content-type')).toContain('text/event-stream');
    const reader = must(events.body, 'events').pipeThrough(new TextDecoderStream()).getReader();
    await put(proxy, 'sse', 'x');
    let seen = '';
    while (!seen.includes(encode('sse'))) seen += must((await reader.read()).value, 'it goes on');
    await reader.cancel();
  });

  test('that is readonly lets reads pass, of both APIs, and nothing else', async () => {
    await put(proxy, 'kept', 'v3');
    await v2(proxy, 'PUT', '/kept', { value: 'v2' });
    expect(await get(readonly, 'kept')).toBe('v3');
    expect((await v2(readonly, 'GET', '/kept', { quorum: true })).node.value).toBe('v2');
    const body = new URLSearchParams({ value: 'changed' });
    const refused = await fetch(`${readonly}/v2/keys/kept`, { method: 'PUT', body });
    expect([refused.status, await refused.text()]).toEqual([501, '']);
    expect((await fetch(`${readonly}/v2/keys/kept`, { method: 'DELETE' })).status).toBe(501);
    await expect(put(readonly, 'kept', 'changed')).rejects.toThrow(/ 501 /);
    const etcd = new Etcd({
      endpoints: readonly,
      transport: 'session',
      webSocket: openWebSocket,
      timeoutMs: 2_000,
    });
    await expect(etcd.put('kept').value('changed')).rejects.toThrow();
    await etcd.close();
    expect(await get(proxy, 'kept')).toBe('v3');
  });

  clientSuite('fetch through a proxy', () => new Etcd({ endpoints: proxy }));
  clientSuite(
    'a session through a proxy',
    () => new Etcd({ endpoints: proxy, transport: 'session', webSocket: openWebSocket }),
  );

  test('loses nothing while members are killed one after the other', async () => {
    const before = await currentRevision(proxy);
    const watcher = new Watcher([proxy], 'killed/', before + 1);
    const watching = watcher.run();
    let isOver = false;
    const writing = runWriters({
      endpoints: [proxy],
      prefix: 'killed/',
      clients: 8,
      puts: 300,
      enough: () => isOver,
    });
    for (const name of cluster.names) {
      await sleep(500);
      await cluster.killAndAwaitReturn(name);
    }
    isOver = true;
    const history = await writing;
    const revision = await checkHistory(proxy, history, before);
    await eventually('the watch has seen all', 20_000, () => {
      return watcher.events.at(-1)?.revision === revision;
    });
    watcher.stop();
    await watching;
  });

  test.skipIf(withoutEtcd)('`etcd --proxy on` serves it too, and survives a member', async () => {
    const [port = 0] = await freePorts(1, PORTS);
    const url = memberUrl(port);
    const peers = cluster.endpoints.map((at, i) => `m${i + 1}=${at}`).join();
    const place = ['--data-dir', workshop.dataDir(), '--listen-client-urls', url];
    const times = ['--proxy-failure-wait', '1000', '--proxy-refresh-interval', '1000'];
    workshop.program(ETCD, ['--proxy', 'on', ...place, ...times, '--initial-cluster', peers]);
    await eventually('it has found the members', 20_000, async () => {
      return (await endpointsOf(url).catch(() => [])).length === 3;
    });
    await checkV2(url);
    // It has replaced what it was told by what it learned, and asked again by now.
    await sleep(2_500);
    expect((await endpointsOf(url)).sort()).toEqual([...cluster.endpoints].sort());
    const [asked = ''] = await endpointsOf(url);
    const back = cluster.killAndAwaitReturn(`m${cluster.endpoints.indexOf(asked) + 1}`);
    await eventually('another member answers', 15_000, async () => {
      const answer = await v2(url, 'PUT', '/after', { value: 'x' }).catch(() => null);
      return answer?.node.value === 'x';
    });
    await back;
    await checkV2(url);
  });
});

describe.skipIf(withoutEtcd)('a proxy before three real etcds', () => {
  const workshop = new Workshop();
  afterEach(() => workshop.clear());

  test('serves v2 and v3, keeps streams, and goes on without a member', async () => {
    const [proxyPort = 0, ...ports] = await freePorts(7, PORTS);
    const places = [0, 1, 2].map((i) => ({
      name: `e${i + 1}`,
      ports: [ports[2 * i] ?? 0, ports[2 * i + 1] ?? 0] as const,
    }));
    const peers = places.map((place) => `${place.name}=${memberUrl(place.ports[1])}`).join();
    const etcds = places.map(
      (place) => new RealEtcd(workshop, place.name, place.ports, ['--initial-cluster', peers]),
    );
    await Promise.all(etcds.map((etcd) => etcd.ready()));
    const [, told] = peers.split(',');
    const proxy = await workshop.proxy(proxyPort, ['--initial-cluster', must(told, 'one of them')]);
    expect((await endpointsOf(proxy)).sort()).toEqual(etcds.map((each) => each.clientUrl).sort());
    await checkV2(proxy);
    await put(proxy, 'a', '1');
    expect(await get(proxy, 'a')).toBe('1');

    const [used = ''] = await endpointsOf(proxy);
    const next = (await currentRevision(proxy)) + 1;
    const watcher = new Watcher([proxy], 'watched/', next);
    const watching = watcher.run();
    const waiting = await fetch(`${proxy}/v2/keys/kept?wait=true`);
    const other = must(
      etcds.find(({ clientUrl }) => clientUrl !== used),
      'a member that is not used',
    );
    await other.process.stop('SIGKILL');
    // It may have been the leader: etcd itself answers "timed out" until there is another.
    await eventually('writes go on', 20_000, () => isWritten(proxy, 'watched/1'));
    await v2(proxy, 'PUT', '/kept', { value: 'through' });
    expect(await waiting.json()).toMatchObject({ node: { value: 'through' } });
    // A write that timed out may have happened.
    await eventually('the same stream goes on', 10_000, () => watcher.events.length > 0);
    expect(watcher.streams).toBe(1);
    watcher.stop();
    await watching;

    expect(await answersWithout(etcds, used, proxy)).toBe(true);
  });

  /** The member in use stands still, as in a partition: requests find another one. */
  async function answersWithout(etcds: readonly RealEtcd[], used: string, proxy: string) {
    const stuck = must(
      etcds.find(({ clientUrl }) => clientUrl === used),
      'a member that is used',
    );
    process.kill(stuck.process.pid, 'SIGSTOP');
    try {
      // Without a quorum only what needs none is answered.
      const body = { key: encode('a'), serializable: true };
      const answer = await call(proxy, '/v3/kv/range', body, 20_000);
      return (answer['kvs'] as unknown[]).length === 1;
    } catch (error) {
      if (error instanceof CallFailed) return false;
      throw error;
    } finally {
      process.kill(stuck.process.pid, 'SIGCONT');
    }
  }
});
