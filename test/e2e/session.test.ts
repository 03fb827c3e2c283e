import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SESSION_FRAME_BYTES_MAX } from '../../src/api/session-methods.ts';
import { ClientFrameWriter } from '../../src/api/session-request.ts';
import { Code, Etcd, type EtcdOptions } from '../../src/client/index.ts';
import { must } from '../../src/lib/assert.ts';
import { utf8 } from '../../src/lib/bytes.ts';
import { sendSignal } from '../../src/local/process.ts';
import { leaderAmong } from './client.ts';
import { eventually, freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';
import { hello, operation, RawSession } from './raw_session.ts';
import { openWebSocket } from './web_socket.ts';

const workshop = new Workshop();
let cluster: RunningCluster;

beforeAll(async () => {
  const env = { ETCD_AUTH_TOKEN_TTL: '2' };
  cluster = await workshop.launch({
    dataDir: workshop.dataDir(),
    port: await freeFirstPort(),
    env,
  });
}, 60_000);
afterAll(() => workshop.clear());

const url = (): string => `${cluster.endpoints[0]?.replace('http', 'ws')}/v3/session`;

const put = (id: number, key: string, bytes = 1) =>
  operation(id, '/v3/kv/put', { key: utf8(key), value: new Uint8Array(bytes) });

describe('a session of a real member', () => {
  it.each<readonly [string, () => Uint8Array | string, RegExp]>([
    ['text', () => '{"hello":1}', /^1003 frames are binary$/],
    ['bytes that are no frame', () => Uint8Array.of(255, 255), /^1002 /],
    [
      'a version from the future',
      () => hello(2).take(),
      /^4001 version 2 is not spoken here: 1 is$/,
    ],
    ['a frame without a hello', () => new Uint8Array(0), /^4000 a session begins with a hello$/],
    [
      'a frame that is too large',
      () => new Uint8Array(SESSION_FRAME_BYTES_MAX + 1),
      /^1009 a frame of \d+ bytes is too large$/,
    ],
  ])('is closed for %s', async (_, data, reason) => {
    const session = await RawSession.open(url());
    session.send(data());
    expect(await session.closing()).toMatch(reason);
  });

  it('answers a ping, and fails bad operations of a frame alone', async () => {
    const session = await RawSession.open(url());
    session.send('ping');
    const writer = hello();
    writer.operation(put(1, ''));
    writer.operation({ ...put(2, 'a'), method: 77 });
    writer.operation(put(3, 'large', 1_600_000));
    writer.operation(put(4, 'good'));
    session.send(writer.take());
    await eventually('all are answered', 5_000, () => session.answers.length === 6);
    expect([...session.answers].sort()).toEqual([
      '1 etcdserver: key is not provided',
      '2 edgetcd: unknown method',
      '3 etcdserver: request is too large',
      '4 ok',
      'pong',
      'welcome 1',
    ]);
    session.socket.close();
  });

  it('takes frames in the order in which they come, also while many begin at once', async () => {
    const sessions = await Promise.all(Array.from({ length: 50 }, () => RawSession.open(url())));
    for (const session of sessions) {
      session.send(hello().take());
      for (let id = 1; id <= 10; id++) {
        const writer = new ClientFrameWriter();
        writer.operation(put(id, `ordered${id}`));
        session.send(writer.take());
      }
    }
    const settled = ({ answers, closed }: RawSession) => answers.length === 11 || closed !== null;
    await eventually('all are answered', 30_000, () => sessions.every(settled));
    expect(new Set(sessions.map(({ closed }) => closed))).toEqual(new Set([null]));
    for (const { socket } of sessions) socket.close();
  });

  it('bounds a flood, and goes on with what it has room for', async () => {
    const session = await RawSession.open(url());
    const writer = hello();
    for (let id = 1; id <= 20_000; id++) writer.operation(put(id, `flood${id % 100}`));
    session.send(writer.take());
    await eventually('all are answered', 30_000, () => session.answers.length === 20_001);
    const tooMany = session.answers.filter((text) => text.includes('too many')).length;
    expect(tooMany).toBeGreaterThan(10_000);
    expect(session.answers.filter((text) => text.endsWith(' ok')).length).toBe(20_000 - tooMany);
    expect(session.closed).toBe(null);
    session.socket.close();
  });

  it('cuts off a client that asks and does not say that it reads', async () => {
    const value = new Uint8Array(1_000_000);
    const etcd = new Etcd({ endpoints: cluster.endpoints });
    await etcd.put('a large value').value(value);
    etcd.close();
    const session = await RawSession.open(url());
    const key = utf8('a large value');
    const writer = hello();
    for (let id = 1; id <= 60; id++) writer.operation(operation(id, '/v3/kv/range', { key }));
    session.send(writer.take());
    expect(await session.closing()).toBe('1013 the client does not read');
    expect(session.answers.length).toBeLessThan(45);
  });
});

describe('a client by a session', () => {
  const options = (): EtcdOptions => ({
    endpoints: cluster.endpoints,
    transport: 'session',
    webSocket: openWebSocket,
  });

  it('notices a member that has stopped in the middle of everything', async () => {
    const etcd = new Etcd({ ...options(), timeoutMs: 30_000 });
    await etcd.put('before').value('1');
    const at = await leaderAmong(cluster.endpoints);
    const pid = cluster.memberPid(must(cluster.names[at], 'a leader'));
    sendSignal(pid, 'SIGSTOP');
    try {
      expect(await etcd.get('before')).toBe('1');
    } finally {
      sendSignal(pid, 'SIGCONT');
    }
    etcd.close();
  }, 60_000);

  it('logs in, and again when its token is over', async () => {
    const open = new Etcd(options());
    const { auth } = open;
    await auth.user('root').create('secret');
    await auth.role('root').create();
    await auth.user('root').addRole('root');
    await auth.enable();
    const user = { auth: { username: 'root', password: 'secret' } };
    for (const transport of ['session', 'fetch'] as const) {
      const etcd = new Etcd({ ...options(), ...user, transport });
      await etcd.put('secret').value(transport);
      const watcher = await etcd.watch().key('secret').create();
      await sleep(4_500);
      expect(await etcd.get('secret')).toBe(transport);
      await etcd.put('secret').value('again');
      for await (const { kv } of watcher) {
        expect(kv.string()).toBe('again');
        break;
      }
      etcd.close();
    }
    const nobody = await open
      .get('secret')
      .string()
      .catch((error: unknown) => error);
    expect(nobody).toMatchObject({ code: Code.invalidArgument });
    const stranger = new Etcd({ ...options(), auth: { username: 'root', password: 'wrong' } });
    await expect(stranger.get('secret').string()).rejects.toThrow('authentication failed');
    for (const etcd of [open, stranger]) etcd.close();
  }, 60_000);
});
