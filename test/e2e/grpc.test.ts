import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Etcd3, type IKeyValue, type Watcher } from 'etcd3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { freePort } from '../../src/local/ports.ts';
import { eventually, freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';
import { Etcdctl, hasEtcd, hasEtcdctl } from './etcdctl.ts';
import { freePorts } from './real_etcd.ts';

/** gRPC with clients and tools that others have written. */

const bootstrap = fileURLToPath(new URL('../../src/local/bootstrap.mjs', import.meta.url));
const workshop = new Workshop();
const children = new Set<ChildProcess>();
let cluster: RunningCluster;
let client: Etcd3;

beforeAll(async () => {
  const dataDir = workshop.dataDir();
  cluster = await workshop.launch({ dataDir, port: await freeFirstPort() });
  client = new Etcd3({ hosts: [...cluster.endpoints] });
}, 60_000);
afterEach(async () => {
  await Promise.all([...children].map(end));
});
afterAll(async () => {
  client?.close();
  await workshop.clear();
}, 30_000);

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: 'ignore' });
  children.add(child);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  children.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** `npm run grpc-proxy` on a port, in front of all members. */
async function startProxy(port: number): Promise<ChildProcess> {
  const endpoints = cluster.endpoints.join(',');
  const flags = ['--endpoints', endpoints, '--listen', `127.0.0.1:${port}`];
  const child = start(process.execPath, [bootstrap, 'grpc-proxy', ...flags]);
  await eventually('the bridge is up', 20_000, () => isUp(`http://127.0.0.1:${port}/health`));
  return child;
}

async function isUp(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** What a watcher of etcd3 is told, as `key=revision`. */
function note(watcher: Watcher): string[] {
  const told: string[] = [];
  watcher.on('put', ({ key, mod_revision }: IKeyValue) => told.push(`${key}=${mod_revision}`));
  return told;
}

/**
 * Of etcd3's isolations of its transactional memory (a `const enum`, which cannot be imported). The
 * stricter one, its default, finds a conflict in every transaction, with etcd as with us.
 */
const SERIALIZABLE = 1;

describe('the client etcd3 of npm', () => {
  it('puts, gets and deletes', async () => {
    await client.put('e/1').value('one');
    await client.put('e/2').value('two');
    expect(await client.get('e/1').string()).toBe('one');
    expect(await client.getAll().prefix('e/').strings()).toEqual({ 'e/1': 'one', 'e/2': 'two' });
    expect(await client.getAll().prefix('e/').count()).toBe(2);
    await client.delete().key('e/1');
    expect(await client.get('e/1')).toBeNull();
  });

  it('compares and sets', async () => {
    const create = () =>
      client.if('e/new', 'Create', '==', 0).then(client.put('e/new').value('mine')).commit();
    expect((await create()).succeeded).toBe(true);
    expect((await create()).succeeded).toBe(false);
  });

  it('watches, and goes on watching', async () => {
    const watcher = await client.watch().prefix('w/').create();
    const told = note(watcher);
    const { header } = await client.put('w/1').value('1');
    const { header: later } = await client.put('w/2').value('2');
    await eventually('two events', 20_000, () => told.length === 2);
    expect(told).toEqual([`w/1=${header.revision}`, `w/2=${later.revision}`]);
    await watcher.cancel();
    const past = await client.watch().prefix('w/').startRevision(header.revision).create();
    const again = note(past);
    await eventually('the same events', 20_000, () => again.length === 2);
    expect(again).toEqual(told);
    await past.cancel();
  });

  it('keeps leases alive, and lets them end', async () => {
    const lease = client.lease(4);
    await lease.put('l/1').value('held');
    await sleep(6_000);
    expect(await client.get('l/1').string()).toBe('held');
    await lease.revoke();
    expect(await client.get('l/1').string()).toBeNull();
  });

  it('locks', async () => {
    let inside = 0;
    const work = async () => {
      expect(++inside).toBe(1);
      await sleep(50);
      inside--;
    };
    const lock = async (): Promise<void> => {
      const held = client.lock('lock').ttl(10);
      for (;;) {
        try {
          return await held.do(work);
        } catch (error) {
          if (!(error instanceof Error && /Failed to acquire/.test(error.message))) throw error;
          await sleep(20);
        }
      }
    };
    await Promise.all([lock(), lock(), lock()]);
  });

  it('elects', async () => {
    const election = client.election('e/lection', 5);
    const campaign = election.campaign('first');
    await once(campaign, 'elected');
    expect(await election.leader()).toBe('first');
    const observer = await election.observe();
    if (observer.leader() === undefined) await once(observer, 'change');
    expect(observer.leader()).toBe('first');
    await observer.cancel();
    await campaign.resign();
    expect(await election.leader()).toBeUndefined();
  });

  it('changes several keys as one, in its transactional memory', async () => {
    // One member: what it reads first says at which revision it reads the rest, wherever that is.
    const one = new Etcd3({ hosts: must(cluster.endpoints[0], 'an endpoint') });
    await one.put('stm/a').value('10');
    await one.put('stm/b').value('0');
    const move = () =>
      one.stm({ retries: 20, isolation: SERIALIZABLE }).transact(async (tx) => {
        const [a, b] = await Promise.all([tx.get('stm/a').number(), tx.get('stm/b').number()]);
        await tx.put('stm/a').value(String((a ?? 0) - 1));
        await tx.put('stm/b').value(String((b ?? 0) + 1));
      });
    await Promise.all([move(), move(), move()]);
    expect(await one.getAll().prefix('stm/').numbers()).toEqual({ 'stm/a': 7, 'stm/b': 3 });
    one.close();
  });

  it('logs in, and is told what it may not do', async () => {
    const role = await client.role('reader').create();
    await role.grant({ permission: 'Read', range: client.range({ prefix: 'pub/' }) });
    const user = await client.user('bob').create('secret');
    await user.addRole('reader');
    await (await client.user('root').create('root')).addRole('root');
    await client.auth.authEnable();
    const hosts = [...cluster.endpoints];
    const root = new Etcd3({ hosts, auth: { username: 'root', password: 'root' } });
    const bob = new Etcd3({ hosts, auth: { username: 'bob', password: 'secret' } });
    try {
      await root.put('pub/1').value('1');
      expect(await bob.get('pub/1').string()).toBe('1');
      await expect(bob.put('pub/1').value('2')).rejects.toThrow('permission denied');
    } finally {
      await root.auth.authDisable();
      root.close();
      bob.close();
    }
    await eventually('it is off everywhere', 20_000, async () => {
      const asked = cluster.endpoints.map((url) => isUp(`${url}/health`));
      return (await Promise.all(asked)).every(Boolean) && (await client.get('pub/1')) === '1';
    });
  });
});

describe('kills', () => {
  /** Puts numbers one after the other, and again until they are there. */
  async function count(puts: Etcd3, prefix: string, isOver: () => boolean): Promise<number> {
    let next = 0;
    while (!isOver()) {
      const key = `${prefix}${String(next).padStart(6, '0')}`;
      // Once only: what is there already was put by an attempt whose answer was lost.
      const attempt = puts.if(key, 'Create', '==', 0).then(puts.put(key).value('x')).commit();
      next += await attempt.then(
        () => 1,
        () => 0,
      );
    }
    return next;
  }

  /** Each number once, in order. */
  function checkAll(told: readonly string[], prefix: string, total: number): void {
    const keys = told.map((event) => event.split('=')[0]);
    const wanted = Array.from(
      { length: total },
      (_, i) => `${prefix}${String(i).padStart(6, '0')}`,
    );
    expect(keys).toEqual(wanted);
  }

  it('of members: no watch loses or repeats an event', async () => {
    const watchers = await Promise.all([1, 2, 3].map(() => client.watch().prefix('m/').create()));
    const told = watchers.map(note);
    let over = false;
    const counting = count(client, 'm/', () => over);
    for (const name of cluster.names) {
      await sleep(500);
      await cluster.killAndAwaitReturn(name);
    }
    over = true;
    const total = await counting;
    expect(total).toBeGreaterThan(10);
    await eventually('all events', 20_000, () => told.every(({ length }) => length >= total));
    for (const events of told) checkAll(events, 'm/', total);
    await Promise.all(watchers.map((watcher) => watcher.cancel()));
  }, 120_000);

  it('of a bridge: neither does one that comes back', async () => {
    // While it is gone nobody else is given its port.
    const [port = 0] = await freePorts(1, 27_440);
    let proxy = await startProxy(port);
    const bridged = new Etcd3({ hosts: [`http://127.0.0.1:${port}`] });
    const watcher = await bridged.watch().prefix('b/').create();
    const told = note(watcher);
    let over = false;
    const counting = count(bridged, 'b/', () => over);
    for (let i = 0; i < 2; i++) {
      await sleep(1_000);
      await end(proxy);
      proxy = await startProxy(port);
    }
    await sleep(1_000);
    over = true;
    const total = await counting;
    expect(total).toBeGreaterThan(10);
    await eventually('all events', 20_000, () => told.length >= total);
    checkAll(told, 'b/', total);
    bridged.close();
  }, 120_000);
});

describe.skipIf(!hasEtcd || !hasEtcdctl)("etcd's own tools", () => {
  it('restore a snapshot of ours, and we restore one of theirs', async () => {
    const place = workshop.dataDir();
    const ours = new Etcdctl(cluster.endpoints.slice(0, 1));
    for (let i = 0; i < 30; i++) await ours.say('put', `s/${i % 7}`, 'x'.repeat(i * 300));
    const { header } = JSON.parse(await ours.say('put', 's/last', '1', '-w', 'json'));
    await ours.say('del', 's/3');
    const state = async (from: Etcdctl): Promise<string[]> => {
      const at = ['--rev', String(header.revision - 10)];
      return Promise.all([
        from.say('get', 's/', '--prefix', '-w', 'fields'),
        from.say('get', 's/', '--prefix', ...at),
      ]).then((texts) =>
        texts.map((text) => text.replace(/^"(ClusterID|MemberID|RaftTerm)".*\n/gm, '')),
      );
    };
    const expected = await state(ours);
    const file = join(place, 'ours.db');
    await ours.say('snapshot', 'save', file);
    const status = JSON.parse(await ours.say('snapshot', 'status', file, '-w', 'json'));
    expect(status.revision).toBe(header.revision + 1);
    const restored = await startRestored(file, join(place, 'etcd'));
    expect(await state(restored)).toEqual(expected);
    const theirs = join(place, 'theirs.db');
    await restored.say('snapshot', 'save', theirs);
    const dataDir = join(place, 'again');
    const port = await freeFirstPort(1);
    const flags = ['--data-dir', dataDir, '--size', '1', '--port', String(port)];
    const restore = start(process.execPath, [bootstrap, 'restore', '--snapshot', theirs, ...flags]);
    await once(restore, 'exit');
    expect(restore.exitCode).toBe(0);
    expect(existsSync(join(dataDir, 'cluster.json'))).toBe(true);
    const again = await workshop.launch({ dataDir, port, size: 1 });
    expect(await state(new Etcdctl(again.endpoints))).toEqual(expected);
    await again.stop();
  }, 120_000);

  /** One etcd that begins with the file. */
  async function startRestored(file: string, dataDir: string): Promise<Etcdctl> {
    const [at, peer] = [await freePort(), await freePort()].map((p) => `http://127.0.0.1:${p}`);
    const who = ['--name', 'one', '--initial-cluster', `one=${peer}`];
    const peers = ['--initial-advertise-peer-urls', must(peer, 'a port')];
    const etcdctl = new Etcdctl([must(at, 'a port')]);
    await etcdctl.say('snapshot', 'restore', file, '--data-dir', dataDir, ...who, ...peers);
    const urls = ['--listen-client-urls', '--advertise-client-urls'].flatMap((flag) => [
      flag,
      `${at}`,
    ]);
    const listen = ['--listen-peer-urls', `${peer}`];
    start('etcd', ['--data-dir', dataDir, ...who, ...peers, ...urls, ...listen]);
    await eventually('etcd is up', 20_000, () => isUp(`${at}/health`));
    return etcdctl;
  }

  it('of a proxy run in front of our bridge', async () => {
    const port = await freePort();
    const endpoints = cluster.endpoints.map((url) => url.replace('http://', '')).join(',');
    const listen = ['--listen-addr', `127.0.0.1:${port}`];
    start('etcd', ['grpc-proxy', 'start', '--endpoints', endpoints, ...listen]);
    const etcdctl = new Etcdctl([`127.0.0.1:${port}`]);
    await eventually('the proxy is up', 20_000, async () => {
      const { code } = await etcdctl.run(['put', 'proxied', '1', '--dial-timeout', '1s']);
      return code === 0;
    });
    expect(await etcdctl.say('get', 'proxied')).toBe('proxied\n1\n');
    const watch = etcdctl.start(['watch', 'proxied']);
    let text = '';
    watch.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    await eventually('the event', 20_000, async () => {
      // What comes before it has begun to watch is not its business.
      if (text === '') await etcdctl.say('put', 'proxied', '2');
      return text.includes('proxied\n2\n');
    });
    watch.kill();
    expect(await etcdctl.say('lock', 'proxied-lock', 'echo', 'locked')).toBe('locked\n');
    expect(await etcdctl.say('lease', 'grant', '60')).toContain('granted with TTL(60s)');
  }, 60_000);
});
