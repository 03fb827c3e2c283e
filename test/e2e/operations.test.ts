import { type ClientRequest, request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { call, encode, put } from './client.ts';
import { eventually, freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';
import { openTextSocket } from './text_socket.ts';

/** What an operator sees and does: figures, variables, the end. */

const workshop = new Workshop();
let port = 0;
let dataDir = '';

beforeEach(async () => {
  port = await freeFirstPort();
  dataDir = workshop.dataDir();
});
afterEach(() => workshop.clear());

/** A call that stays open, and whether it is over. */
class OpenCall {
  received = '';
  over = false;
  readonly #request: ClientRequest;

  constructor(url: string, path: string, body: unknown) {
    this.#request = request(`${url}${path}`, { method: 'POST', agent: false }, (response) => {
      response.on('data', (chunk: Buffer) => {
        this.received += chunk.toString();
      });
      response.on('error', () => this.#end());
      response.on('close', () => this.#end());
    });
    this.#request.on('error', () => this.#end());
    this.#request.end(JSON.stringify(body));
  }

  close(): void {
    this.#request.destroy();
  }

  #end(): void {
    this.over = true;
  }
}

/** The value of a series of /metrics; null: there is none. */
async function metric(url: string, series: string): Promise<number | null> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? null : Number(line.slice(series.length + 1));
}

const WATCH = 'grpc_service="etcdserverpb.Watch",grpc_method="Watch",grpc_type="bidi_stream"';
const created = (watch: OpenCall) => watch.received.includes('"created":true');

describe('figures', () => {
  test('tell of streams, of writes, and of a leader that was killed', async () => {
    const cluster = await workshop.launch({ dataDir, port });
    const [url] = cluster.endpoints;
    const first = must(url, 'an endpoint');
    for (let i = 0; i < 20; i++) await put(first, `k${i}`, 'v');
    const watch = new OpenCall(first, '/v3/watch', { create_request: { key: encode('k1') } });
    await eventually('the watch is created', 20_000, () => created(watch));
    expect(await metric(first, `grpc_server_started_total{${WATCH}}`)).toBe(1);
    expect(await metric(first, 'etcd_debugging_mvcc_watcher_total')).toBe(1);
    await put(first, 'k1', 'event');
    await eventually('the event is counted', 20_000, async () => {
      return (await metric(first, 'etcd_debugging_mvcc_events_total')) === 1;
    });
    watch.close();
    await eventually('the end of the watch is noticed and counted', 30_000, async () => {
      const handled = await metric(
        first,
        `grpc_server_handled_total{${WATCH},grpc_code="Canceled"}`,
      );
      return handled === 1 && (await metric(first, 'etcd_debugging_mvcc_watcher_total')) === 0;
    });
    expect(await metric(first, 'etcd_debugging_mvcc_keys_total')).toBe(20);
    await expectLeaderChangeSeen(cluster);
  });
});

/** Kills the leader: the others count its successor, and the one that comes back begins at zero. */
async function expectLeaderChangeSeen(cluster: RunningCluster): Promise<void> {
  let at = -1;
  await eventually('one leads', 20_000, async () => {
    const asked = cluster.endpoints.map((url) => metric(url, 'etcd_server_is_leader'));
    const leads = await Promise.all(asked);
    at = leads.filter((each) => each === 1).length === 1 ? leads.indexOf(1) : -1;
    return at >= 0;
  });
  const other = must(cluster.endpoints[(at + 1) % 3], 'another member');
  const before = (await metric(other, 'etcd_server_leader_changes_seen_total')) ?? 0;
  await cluster.killAndAwaitReturn(must(cluster.names[at], 'a leader'));
  await eventually('a new leader is counted', 20_000, async () => {
    return ((await metric(other, 'etcd_server_leader_changes_seen_total')) ?? 0) > before;
  });
  const back = must(cluster.endpoints[at], 'the member that came back');
  await eventually('it knows the leader', 20_000, async () => {
    return (await metric(back, 'etcd_server_has_leader')) === 1;
  });
  await eventually('it has all keys', 20_000, async () => {
    return (await metric(back, 'etcd_debugging_mvcc_keys_total')) === 20;
  });
  const puts = 'grpc_service="etcdserverpb.KV",grpc_method="Put",grpc_type="unary"';
  expect(await metric(back, `grpc_server_started_total{${puts}}`)).toBe(0);
}

describe('a stop', () => {
  test('with open watches, waiting locks and sockets is clean and quick', async () => {
    const cluster = await workshop.launch({ dataDir, port });
    const watches = cluster.endpoints.flatMap((url) =>
      Array.from({ length: 100 }, (_, i) => {
        return new OpenCall(url, '/v3/watch', { create_request: { key: encode(`k${i}`) } });
      }),
    );
    const url = must(cluster.endpoints[0], 'an endpoint');
    await call(url, '/v3/lock/lock', { name: encode('held') });
    const waiting = cluster.endpoints.map((each) => {
      return new OpenCall(each, '/v3/lock/lock', { name: encode('held') });
    });
    const socket = await openTextSocket(port, '/v3/watch');
    socket.send(JSON.stringify({ create_request: { key: encode('k') } }));
    await eventually('all watches are created', 20_000, () => {
      return watches.every(created) && socket.messages.length > 0;
    });

    const startMs = performance.now();
    expect(await cluster.stop('SIGTERM')).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    await eventually('every client is told', 10_000, () => {
      return [...watches, ...waiting].every(({ over }) => over);
    });
    expect(cluster.output).not.toMatch(/uncaught|unhandled|invariant/i);

    const again = await workshop.launch({ dataDir, port });
    await put(must(again.endpoints[0], 'an endpoint'), 'after', 'yes');
  });
});

describe('a variable', () => {
  test('that cannot be obeyed keeps the cluster from starting, and is named', async () => {
    const env = { ETCD_PRE_VOTE: 'false' };
    const command = workshop.start({ dataDir, port, env, size: 1 });
    expect(await command.exited).toBe(1);
    expect(command.output).toMatch(/m1 does not serve: .*ETCD_PRE_VOTE must be true here/);
  });

  test('that has no effect, and one that nobody knows, are told', async () => {
    const env = { ETCD_MAX_WALS: '5', ETCD_HEART_BEAT: '1' };
    const cluster = await workshop.launch({ dataDir, port, env, size: 1 });
    expect(cluster.output).toContain('ETCD_MAX_WALS has no effect: the log is a table');
    expect(cluster.output).toContain('unrecognized environment variable ETCD_HEART_BEAT');
  });
});
