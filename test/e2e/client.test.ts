import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Code,
  Etcd,
  EtcdError,
  type EtcdOptions,
  type WatchEvent,
} from '../../src/client/index.ts';
import { must } from '../../src/lib/assert.ts';
import { clientSuite } from '../client/suite.ts';
import { eventually, freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';
import { openWebSocket } from './web_socket.ts';

const workshop = new Workshop();
let cluster: RunningCluster;

beforeAll(async () => {
  cluster = await workshop.launch({ dataDir: workshop.dataDir(), port: await freeFirstPort() });
}, 60_000);
afterAll(() => workshop.clear());

const transports: readonly (readonly [string, Partial<EtcdOptions>])[] = [
  ['fetch', {}],
  ['a session', { transport: 'session', webSocket: openWebSocket }],
];

const open = (options: Partial<EtcdOptions>): Etcd =>
  new Etcd({ endpoints: cluster.endpoints, ...options });

for (const [name, options] of transports) {
  clientSuite(name, () => open(options));
}

/** Kills one member after the other, and waits until each is back. */
async function killAll(): Promise<void> {
  for (const name of cluster.names) {
    await sleep(500);
    await cluster.killAndAwaitReturn(name);
  }
}

describe.each(transports)('while members are killed, a client by %s', (name, options) => {
  /** Puts one key after the other; those of which it knows nothing are tried again by the next. */
  async function write(etcd: Etcd, prefix: string, done: () => boolean): Promise<Set<string>> {
    const acknowledged = new Set<string>();
    for (let i = 0; !done() || acknowledged.size < 300; i++) {
      try {
        await etcd.put(`${prefix}${i}`).value(i);
        acknowledged.add(`${prefix}${i}`);
      } catch (error) {
        // What was not done for certain, the client has tried again by itself.
        if (!(error instanceof EtcdError) || error.outcome !== 'unknown') throw error;
      }
    }
    return acknowledged;
  }

  it('watches everything once, in order and whole', async () => {
    const etcd = open(options);
    const prefix = `watch by ${name}/`;
    const abort = new AbortController();
    const watchers = await Promise.all(
      cluster.endpoints.map(async (url, i) => {
        // Each begins at another member.
        const endpoints = [url, ...cluster.endpoints.filter((other) => other !== url)];
        const client = new Etcd({ endpoints, ...options });
        const watcher = await client.watch().prefix(prefix).signal(abort.signal).create();
        return { client, watcher, events: [] as WatchEvent[], i };
      }),
    );
    const reading = watchers.map(async ({ watcher, events }) => {
      for await (const event of watcher) events.push(event);
    });
    let killed = false;
    const [, ...sets] = await Promise.all([
      killAll().finally(() => {
        killed = true;
      }),
      ...[0, 1, 2, 3].map((i) => write(etcd, `${prefix}${i}/`, () => killed)),
    ]);
    // Everything that happened, acknowledged or not, by the store's own account.
    const kvs = await etcd.getAll().prefix(prefix).sort('Mod', 'Ascend').kvs();
    const expected = kvs.map((kv) => [kv.key, kv.modRevision]);
    await eventually('all have seen everything', 20_000, () =>
      watchers.every(({ events }) => events.length >= expected.length),
    );
    for (const { events } of watchers) {
      expect(events.map((event) => [event.key, event.revision])).toEqual(expected);
    }
    const present = new Set(kvs.map(({ key }) => key));
    const missing = sets.flatMap((keys) => [...keys]).filter((key) => !present.has(key));
    expect(missing).toEqual([]);
    // None was written twice: a put whose outcome was unknown was not repeated.
    expect(kvs.filter(({ version }) => version !== 1)).toEqual([]);
    abort.abort(new Error('enough'));
    await Promise.allSettled(reading);
    for (const { client } of watchers) client.close();
    etcd.close();
  }, 120_000);

  it('reads, keeps its lease and its lock, and counts with transactions', async () => {
    const etcd = open(options);
    const counter = `counter by ${name}`;
    await etcd.put(counter).value(0);
    const lease = etcd.lease(15);
    await lease.put(`alive by ${name}`).value('yes');
    const lock = await etcd.lock(`lock by ${name}`).ttl(15).acquire();
    let killed = false;
    let counted = 0;
    const count = async (): Promise<void> => {
      while (!killed) {
        const kv = must(await etcd.get(counter).kv(), 'the counter is there');
        const next = kv.number() + 1;
        const txn = etcd.if(counter, 'Mod', '==', kv.modRevision).and(lock.held);
        const { succeeded } = await txn
          .then(etcd.put(counter).value(next))
          .commit()
          .catch((error: unknown) => {
            if (error instanceof EtcdError && error.outcome === 'unknown') {
              return { succeeded: false };
            }
            throw error;
          });
        if (succeeded) counted++;
        await sleep(5);
      }
    };
    await Promise.all([
      killAll().finally(() => {
        killed = true;
      }),
      count(),
      count(),
    ]);
    // Some of those with an unknown outcome have happened.
    expect(await etcd.get(counter).number()).toBeGreaterThanOrEqual(counted);
    expect(counted).toBeGreaterThan(20);
    expect([lease.signal.aborted, lock.signal.aborted]).toEqual([false, false]);
    expect(await etcd.get(`alive by ${name}`)).toBe('yes');
    await lock.release();
    await lease.revoke();
    etcd.close();
  }, 120_000);

  it('says for certain what it does not know when nobody answers', async () => {
    const endpoints = `http://127.0.0.1:${await freeFirstPort()}`;
    const closed = new Etcd({ endpoints, timeoutMs: 3_000, ...options });
    const error = await closed
      .put('a')
      .value('1')
      .exec()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: Code.unavailable, outcome: 'none' });
    closed.close();
  });
});
