import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Miniflare } from 'miniflare';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../src/lib/bytes.ts';
import { bundleWorker, workerEntry } from '../../src/local/bundle.ts';
import { compatibilityDate, compatibilityFlags } from '../../src/local/workerd.ts';
import { eventually } from './cluster.ts';
import { hello, operation, RawSession } from './raw_session.ts';
import { openTextSocket } from './text_socket.ts';

const PORT = 24_170;
const HOST = '127.0.0.1';

/** The runtime takes an object out of memory that has done nothing for 10 s, timers included. */
const EVICTION_MS = 22_000;

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/**
 * A member that falls silent when nothing is to be done and that the runtime may put to sleep,
 * which `npm start` does not allow.
 */
describe('a member that sleeps', () => {
  const directory = mkdtempSync(join(tmpdir(), 'edgetcd-'));
  let miniflare: Miniflare;

  beforeAll(async () => {
    miniflare = new Miniflare({
      name: 'edgetcd',
      modules: true,
      script: await bundleWorker(workerEntry),
      compatibilityDate,
      compatibilityFlags,
      bindings: {
        ALLOW_NONE_AUTHENTICATION: 'yes',
        EDGETCD_ACCESS_LOG: 'off',
        EDGETCD_QUIESCE_AFTER: '500',
        ETCD_LOG_LEVEL: 'error',
        // Its clock would keep the member awake.
        ETCD_CORRUPT_CHECK_TIME: '0',
      },
      durableObjects: { MEMBER: { className: 'EtcdMember', useSQLite: true } },
      durableObjectsPersist: directory,
      host: HOST,
      port: 0,
      unsafeDirectSockets: [{ host: HOST, port: PORT }],
      cf: false,
      cache: false,
    });
    await miniflare.ready;
  });

  afterAll(async () => {
    await miniflare.dispose();
    rmSync(directory, { recursive: true, force: true });
  });

  const post = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const init = { method: 'POST', body: JSON.stringify(body) };
    const response = await fetch(`http://${HOST}:${PORT}${path}`, init);
    return { status: response.status, ...((await response.json()) as object) };
  };

  const put = async (value: string): Promise<void> => {
    const request = { key: base64('a'), value: base64(value) };
    const isDone = async () => (await post('/v3/kv/put', request))['status'] === 200;
    await eventually('writable', 20_000, isDone);
  };

  /** Every new instance campaigns anew. */
  const term = async (): Promise<number> => {
    const { header } = await post('/v3/maintenance/status', {});
    return Number((header as { raft_term: string }).raft_term);
  };

  it('goes on with the watches on its WebSockets, and misses nothing', async () => {
    await put('1');
    const before = await term();
    const socket = await openTextSocket(PORT, '/v3/watch');
    const { messages } = socket;
    const watch = { key: base64('a'), start_revision: '2' };
    socket.send(JSON.stringify({ create_request: watch }));
    await eventually('the first event', 5_000, () => messages.length === 2);
    await sleep(EVICTION_MS);
    await put('2');
    await eventually('the second event', 5_000, () => messages.length === 3);
    expect(await term()).toBeGreaterThan(before);
    const revisions = messages.map((text) => /"mod_revision":"(\d+)"/.exec(text)?.[1]);
    expect(revisions).toEqual([undefined, '2', '3']);
    socket.close();
  });

  it('goes on with a session, whose watch misses nothing and whose calls are answered', async () => {
    await put('before');
    const before = await term();
    const session = await RawSession.open(`ws://${HOST}:${PORT}/v3/session`);
    const key = utf8('a');
    const writer = hello();
    writer.operation(operation(1, '/v3/watch', { createRequest: { key } }));
    session.send(writer.take());
    await eventually('the watch', 5_000, () => session.answers.length === 2);
    await sleep(EVICTION_MS);
    writer.operation(operation(2, '/v3/kv/put', { key, value: utf8('after') }));
    session.send(writer.take());
    await eventually('both answers', 5_000, () => session.answers.length === 4);
    expect(session.answers.sort()).toEqual(['1 ok', '1 ok', '2 ok', 'welcome 1']);
    expect(await term()).toBeGreaterThan(before);
    session.socket.close();
  });
});
