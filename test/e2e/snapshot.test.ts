import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { call, currentRevision, encode, get, hashAgreement, put } from './client.ts';
import { eventually, freeFirstPort, Workshop } from './cluster.ts';

const bootstrap = fileURLToPath(new URL('../../src/local/bootstrap.mjs', import.meta.url));

/** A command of npm's, to its end. */
async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [bootstrap, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  await once(child, 'close');
  return { code: child.exitCode, output };
}

const workshop = new Workshop();
afterEach(() => workshop.clear());

/** Keys in transactions of a hundred. */
async function fill(url: string, count: number): Promise<void> {
  let next = 0;
  const write = async () => {
    while (next < count) {
      const first = next;
      next += 100;
      const success = Array.from({ length: 100 }, (_, i) => ({
        request_put: { key: encode(`key${first + i}`), value: encode(`value ${first + i}`) },
      }));
      await call(url, '/v3/kv/txn', { success });
    }
  };
  await Promise.all(Array.from({ length: 8 }, write));
}

describe('a snapshot', () => {
  it('of 100,000 keys makes a new cluster with the same keys, leases and alarms', async () => {
    const dataDir = workshop.dataDir();
    const cluster = await workshop.launch({ dataDir, port: await freeFirstPort() });
    const url = must(cluster.endpoints[0], 'an endpoint');
    await fill(url, 100_000);
    const { ID } = await call(url, '/v3/lease/grant', { TTL: '600', ID: '77' });
    await call(url, '/v3/kv/put', { key: encode('leased'), value: encode('1'), lease: ID });
    await call(url, '/v3/kv/deleterange', { key: encode('key500') });
    const revision = await currentRevision(url);
    const hash = await hashAgreement(cluster.endpoints, revision);
    const middle = await hashAgreement(cluster.endpoints, revision - 500);
    await call(url, '/v3/maintenance/alarm', { action: 'ACTIVATE', alarm: 'NOSPACE' });

    const file = join(workshop.dataDir(), 'snapshot.db');
    // Writes go on while it is taken: they are not in it.
    const meanwhile = call(url, '/v3/kv/deleterange', { key: encode('key600') });
    expect(await run('snapshot', '--endpoint', url, file)).toMatchObject({ code: 0 });
    await meanwhile;
    await cluster.stop();

    const restored = join(workshop.dataDir(), 'restored');
    const port = String(await freeFirstPort());
    const args = ['restore', '--snapshot', file, '--data-dir', restored, '--port', port];
    expect(await run(...args)).toMatchObject({ code: 0 });
    expect(await run(...args)).toMatchObject({
      code: 1,
      output: expect.stringMatching(/is not empty/),
    });

    const successor = await workshop.launch({ dataDir: restored, port: Number(port) });
    const successorUrl = must(successor.endpoints[1], 'an endpoint');
    expect(await hashAgreement(successor.endpoints, revision)).toBe(hash);
    expect(await hashAgreement(successor.endpoints, revision - 500)).toBe(middle);
    const lease = await call(successorUrl, '/v3/lease/timetolive', { ID: '77', keys: true });
    expect(lease).toMatchObject({ grantedTTL: '600', keys: [encode('leased')] });
    const { alarms } = await call(successorUrl, '/v3/maintenance/alarm', {});
    expect(alarms).toEqual([{ alarm: 'NOSPACE' }]);
    await call(successorUrl, '/v3/maintenance/alarm', { action: 'DEACTIVATE', alarm: 'NOSPACE' });
    expect(await put(successorUrl, 'new', '1')).toBeGreaterThan(revision);

    // Another cluster than the one it was: their members do not speak with each other.
    const ids = async (endpoint: string) => {
      const { header, members } = await call(endpoint, '/v3/cluster/member/list', {});
      const list = members as { ID: string }[];
      return [(header as { cluster_id: string }).cluster_id, ...list.map((member) => member.ID)];
    };
    const predecessor = await workshop.launch({ dataDir, port: await freeFirstPort() });
    const before = await ids(must(predecessor.endpoints[0], 'an endpoint'));
    const after = await ids(successorUrl);
    expect(new Set([...before, ...after]).size).toBe(8);
  }, 180_000);

  it('that is cut short or changed is refused, and leaves nothing behind', async () => {
    const cluster = await workshop.launch({
      dataDir: workshop.dataDir(),
      port: await freeFirstPort(1),
      size: 1,
    });
    const url = must(cluster.endpoints[0], 'an endpoint');
    await put(url, 'key', 'value');
    const dir = workshop.dataDir();
    const file = join(dir, 'snapshot.db');
    expect(await run('snapshot', '--endpoint', url, file)).toMatchObject({ code: 0 });
    const bytes = readFileSync(file);
    const restored = join(dir, 'restored');
    const restore = () => run('restore', '--snapshot', file, '--data-dir', restored, '--size', '1');
    truncateSync(file, bytes.length - 1);
    expect(await restore()).toMatchObject({
      code: 1,
      output: expect.stringMatching(/expected sha256 .*, got /),
    });
    const changed = Buffer.from(bytes);
    changed[bytes.length >> 1] = (changed[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(file, changed);
    expect(await restore()).toMatchObject({
      code: 1,
      output: expect.stringMatching(/expected sha256 .*, got /),
    });
    writeFileSync(file, 'something else');
    expect(await restore()).toMatchObject({
      code: 1,
      output: expect.stringMatching(/not a snapshot of edgetcd/),
    });
    writeFileSync(file, bytes);
    expect(await restore()).toMatchObject({ code: 0 });
    await cluster.stop();
    const port = await freeFirstPort(1);
    const successor = await workshop.launch({ dataDir: restored, port, size: 1 });
    await eventually('the key is there', 10_000, async () => {
      return (await get(must(successor.endpoints[0], 'an endpoint'), 'key')) === 'value';
    });
  }, 120_000);
});
