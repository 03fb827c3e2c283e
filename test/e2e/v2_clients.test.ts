import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { memberUrl } from '../../src/local/bindings.ts';
import { eventually, freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';

/** Clients of etcd that were written for etcd, as Debian packages them. */

const workshop = new Workshop();
let cluster: RunningCluster;
let endpoints = '';

beforeAll(async () => {
  cluster = await workshop.launch({ dataDir: workshop.dataDir(), port: await freeFirstPort() });
  endpoints = cluster.endpoints.join(',');
}, 60_000);
afterAll(() => workshop.clear());

const ENV = { ...process.env, ETCDCTL_API: '2' };
const hasEtcdctl = spawnSync('etcdctl', ['--version'], { env: ENV }).status === 0;
/** Debian's, wherever another Python may come first. */
const PYTHON = '/usr/bin/python3';
const hasPythonEtcd = spawnSync(PYTHON, ['-c', 'import etcd']).status === 0;

interface Outcome {
  readonly out: string;
  readonly code: number;
}

async function etcdctl(...command: string[]): Promise<Outcome> {
  const all = ['--endpoints', endpoints, ...command];
  try {
    const options = { env: ENV, timeout: 20_000 };
    const { stdout, stderr } = await promisify(execFile)('etcdctl', all, options);
    return { out: (stdout + stderr).trim(), code: 0 };
  } catch (error) {
    const { stdout, stderr, code } = error as { stdout: string; stderr: string; code: number };
    return { out: (stdout + stderr).trim(), code };
  }
}

/** One that runs until it has said something. */
async function saysOnce(command: readonly string[], meanwhile: () => Promise<unknown>) {
  const child = spawn('etcdctl', ['--endpoints', endpoints, ...command], { env: ENV });
  const closed = once(child, 'close');
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  try {
    // Whatever comes before it has begun to wait is not its business.
    await eventually(`${command.join(' ')} says something`, 20_000, async () => {
      if (said === '') await meanwhile();
      return said !== '';
    });
    return said;
  } finally {
    child.kill('SIGKILL');
    await closed;
  }
}

describe.skipIf(!hasEtcdctl)('ETCDCTL_API=2 etcdctl', () => {
  test('sets, gets, makes, updates and removes', async () => {
    expect(await etcdctl('set', '/a/b', 'one')).toEqual({ out: 'one', code: 0 });
    expect((await etcdctl('get', '--quorum', '/a/b')).out).toBe('one');
    expect((await etcdctl('mk', '/made', 'x')).out).toBe('x');
    const again = await etcdctl('mk', '/made', 'x');
    expect(again).toMatchObject({ code: 4 });
    expect(again.out).toMatch(/105: Key already exists \(\/made\)/);
    expect((await etcdctl('update', '/a/b', 'two')).out).toBe('two');
    expect((await etcdctl('update', '/none', 'x')).out).toMatch(/100: Key not found \(\/none\)/);
    const swap = ['set', '/a/b', 'three', '--swap-with-value', 'one'];
    expect((await etcdctl(...swap)).out).toMatch(/101: Compare failed \(\[one != two\]\)/);
    expect((await etcdctl('rm', '/a/b')).out).toBe('PrevNode.Value: two');
    expect((await etcdctl('get', '--quorum', '/a/b')).code).toBe(4);
  });

  test('works with directories', async () => {
    expect((await etcdctl('mkdir', '/dir')).code).toBe(0);
    expect((await etcdctl('mkdir', '/dir')).out).toMatch(/105: Key already exists/);
    await etcdctl('set', '/dir/x', '1');
    await etcdctl('set', '/dir/sub/y', '2');
    const ls = ['ls', '--quorum'];
    expect((await etcdctl(...ls, '/dir')).out.split('\n').sort()).toEqual(['/dir/sub', '/dir/x']);
    expect((await etcdctl(...ls, '--recursive', '--sort', '/dir')).out).toBe(
      '/dir/sub\n/dir/sub/y\n/dir/x',
    );
    expect((await etcdctl(...ls, '-p', '/dir')).out).toContain('/dir/sub/');
    expect((await etcdctl('rmdir', '/dir')).out).toMatch(/108: Directory not empty/);
    expect((await etcdctl('rm', '--recursive', '/dir')).code).toBe(0);
    expect((await etcdctl('setdir', '/timed', '--ttl', '100')).code).toBe(0);
    expect((await etcdctl('updatedir', '/timed', '--ttl', '200')).code).toBe(0);
    expect((await etcdctl('rmdir', '/timed')).code).toBe(0);
  });

  test('lets keys end', async () => {
    await etcdctl('set', '/short', 'x', '--ttl', '5');
    expect((await etcdctl('get', '--quorum', '/short')).out).toBe('x');
    await eventually('it has ended', 20_000, async () => {
      return (await etcdctl('get', '--quorum', '/short')).code === 4;
    });
  });

  test('watches, and runs commands for events', async () => {
    const set = (path: string) => () => etcdctl('set', path, 'told');
    expect(await saysOnce(['watch', '/watched'], set('/watched'))).toBe('told\n');
    const run = ['exec-watch', '--recursive', '/tree', '--', 'sh', '-c', 'env | grep ^ETCD_WATCH'];
    const said = await saysOnce(run, set('/tree/leaf'));
    expect(said).toContain('ETCD_WATCH_KEY=/tree/leaf');
    expect(said).toContain('ETCD_WATCH_ACTION=set');
  });

  test('knows the members and their health', async () => {
    const { out } = await etcdctl('member', 'list');
    for (const [i, url] of cluster.endpoints.entries()) {
      const peerUrl = memberUrl(Number(new URL(url).port) + 1);
      expect(out).toContain(`name=m${i + 1} peerURLs=${peerUrl} clientURLs=${url}`);
    }
    expect(out.match(/isLeader=true/g)).toHaveLength(1);
    expect((await etcdctl('cluster-health')).out).toMatch(/cluster is healthy$/);
  });

  test('manages users and roles', async () => {
    const admin = ['-u', 'root:secret'];
    const body = JSON.stringify({ user: 'root', password: 'secret' });
    const url = `${cluster.endpoints[0]}/v2/auth/users/root`;
    expect((await fetch(url, { method: 'PUT', body })).status).toBe(201);
    expect((await etcdctl('role', 'add', 'writer')).out).toBe('Role writer created');
    const grant = ['role', 'grant', 'writer', '--path', '/w/*', '--readwrite'];
    expect((await etcdctl(...grant)).out).toBe('Role writer updated');
    expect((await etcdctl('user', 'list')).out).toBe('root');
    expect((await etcdctl('auth', 'enable')).out).toBe('Authentication Enabled');
    expect((await etcdctl(...admin, 'role', 'list')).out).toBe('guest\nroot\nwriter');
    expect((await etcdctl(...admin, 'role', 'remove', 'guest')).out).toBe('Role guest removed');
    await eventually('every member knows that', 20_000, async () => {
      return (await etcdctl('set', '/w/x', '1')).out.includes('Insufficient credentials');
    });
    expect((await etcdctl(...admin, 'set', '/w/x', '1')).out).toBe('1');
    expect((await etcdctl(...admin, 'auth', 'disable')).out).toBe('Authentication Disabled');
    await eventually('every member knows that too', 20_000, async () => {
      return (await etcdctl('set', '/w/x', '2')).out === '2';
    });
  });
});

/** Reads go to one member, where what was written by way of it is known. */
const PYTHON_CLIENT = `
import sys, threading, time, etcd
host = tuple((h, int(p)) for h, p in (u.split('//')[1].split(':') for u in sys.argv[1].split(',')))
client = etcd.Client(host=host, allow_reconnect=True)
client.write('/py/a', 'one')
assert client.read('/py/a').value == 'one'
client.write('/py/a', 'two', prevValue='one')
try:
    client.write('/py/a', 'three', prevValue='one')
    raise SystemExit('a swap with a wrong value succeeds')
except etcd.EtcdCompareFailed:
    pass
try:
    client.write('/py/a', 'x', prevExist=False)
    raise SystemExit('what exists is made')
except etcd.EtcdAlreadyExist:
    pass
first = client.write('/py/queue', 'x', append=True)
second = client.write('/py/queue', 'y', append=True)
assert first.key < second.key
assert [n.value for n in client.read('/py', recursive=True, sorted=True).leaves] == ['two', 'x', 'y']
index = client.read('/py/a').modifiedIndex
client.write('/py/a', 'seen')
assert client.watch('/py/a', index=index + 1).value == 'seen'
client.delete('/py', recursive=True)
try:
    client.read('/py/a')
    raise SystemExit('what was deleted is there')
except etcd.EtcdKeyNotFound:
    pass
assert len(client.members) == 3, client.members
assert client.leader['name'].startswith('m')
assert len(client.machines) >= 2, client.machines
lock = etcd.Lock(client, 'lock')
assert lock.acquire(blocking=True, lock_ttl=30)
lock.release()
print('done')
`;

describe.skipIf(!hasPythonEtcd)('python3-etcd', () => {
  test('reads, writes, swaps, watches, locks and finds the members', async () => {
    const command = ['-c', PYTHON_CLIENT, endpoints];
    const { stdout } = await promisify(execFile)(PYTHON, command, { timeout: 60_000 });
    expect(stdout.trim()).toBe('done');
  });
});

test('what is not installed here was left out', () => {
  const missing = [hasEtcdctl ? [] : ['etcdctl'], hasPythonEtcd ? [] : ['python3-etcd']].flat();
  if (missing.length > 0) console.log(`not installed, so not tried: ${missing.join(', ')}`);
  expect(cluster.running).toBe(true);
});
