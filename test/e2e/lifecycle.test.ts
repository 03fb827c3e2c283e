import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { findProcess } from '../../src/local/process.ts';
import { get, put } from './client.ts';
import { freeFirstPort, Workshop } from './cluster.ts';

describe('npm start', () => {
  const workshop = new Workshop();
  let port = 0;
  let dataDir = '';

  beforeEach(async () => {
    port = await freeFirstPort();
    dataDir = workshop.dataDir();
  });
  afterEach(() => workshop.clear());

  test('serves on every endpoint, stops cleanly, and finds its data again', async () => {
    const first = await workshop.launch({ dataDir, port });
    for (const url of first.endpoints) await put(url, `by ${url}`, 'here');
    for (const reader of first.endpoints) {
      for (const writer of first.endpoints) expect(await get(reader, `by ${writer}`)).toBe('here');
    }
    for (const url of first.endpoints) expect(first.output).toContain(url);
    expect(first.output).toMatch(/leader: m[123]/);
    const pids = first.names.map((name) => first.memberPid(name));
    const stopStartMs = performance.now();
    expect(await first.stop('SIGTERM')).toBe(0);
    expect(performance.now() - stopStartMs).toBeLessThan(10_000);
    expect(pids.map(findProcess)).toEqual([null, null, null]);
    expect(readdirSync(dataDir).filter((name) => /lock|\.pid$/.test(name))).toEqual([]);

    const second = await workshop.launch({ dataDir, port });
    for (const url of second.endpoints) expect(await get(url, `by ${url}`)).toBe('here');
    expect(await second.stop('SIGINT')).toBe(0);
  });

  test('a cluster survives other ports', async () => {
    const first = await workshop.launch({ dataDir, port });
    await put(must(first.endpoints[0], 'three'), 'moved', 'yes');
    await first.stop();
    const second = await workshop.launch({ dataDir, port: port + 3 });
    for (const url of second.endpoints) expect(await get(url, 'moved')).toBe('yes');
  });

  test('one member is a cluster too', async () => {
    const cluster = await workshop.launch({ dataDir, port, size: 1 });
    const url = must(cluster.endpoints[0], 'one');
    await put(url, 'alone', 'yes');
    await cluster.killAndAwaitReturn('m1');
    expect(await get(url, 'alone')).toBe('yes');
  });

  test('a second start on the same directory is refused', async () => {
    const cluster = await workshop.launch({ dataDir, port });
    const second = workshop.run(['--data-dir', dataDir, '--port', String(port + 3)]);
    expect(await second.exited).toBe(1);
    expect(second.output).toContain(`in use by process ${cluster.pid}`);
    await put(must(cluster.endpoints[0], 'three'), 'undisturbed', 'yes');
  });

  test('the lock of a killed supervisor is taken over, its members are ended', async () => {
    const first = await workshop.launch({ dataDir, port });
    await put(must(first.endpoints[0], 'three'), 'kept', 'yes');
    const pids = first.names.map((name) => first.memberPid(name));
    await first.stop('SIGKILL');
    expect(pids.map(findProcess)).not.toContain(null);
    expect(existsSync(join(dataDir, 'lock'))).toBe(true);
    const second = await workshop.launch({ dataDir, port });
    expect(pids.map(findProcess)).toEqual([null, null, null]);
    for (const url of second.endpoints) expect(await get(url, 'kept')).toBe('yes');
  });

  test('a busy port is named, with its member', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port + 20_000, '127.0.0.1', resolve));
    const command = workshop.run(['--data-dir', dataDir, '--port', String(port)]);
    expect(await command.exited).toBe(1);
    expect(command.output).toContain(`port ${port + 20_000} is in use (member m2)`);
    server.close();
  });

  test('another size or name is refused', async () => {
    const first = await workshop.launch({ dataDir, port, size: 1 });
    await first.stop();
    const larger = workshop.run(['--data-dir', dataDir, '--size', '3']);
    expect(await larger.exited).toBe(1);
    expect(larger.output).toContain('size 1, not 3');
    const renamed = workshop.run(['--data-dir', dataDir, '--name', 'other']);
    expect(await renamed.exited).toBe(1);
    expect(renamed.output).toContain('name edgetcd, not other');
  });

  test('--help and wrong flags', async () => {
    const help = workshop.run(['--help']);
    expect(await help.exited).toBe(0);
    for (const flag of [
      '--port',
      '--data-dir',
      '--size',
      '--name',
      '--log-level',
      '--no-restart',
    ]) {
      expect(help.output).toContain(flag);
    }
    const unknown = workshop.run(['--prot', '1']);
    expect(await unknown.exited).toBe(2);
    expect(unknown.output).toContain('--prot');
  });

  test('--no-restart leaves a dead member dead', async () => {
    const cluster = await workshop.launch({ dataDir, port, flags: ['--no-restart'] });
    const pid = cluster.killMember('m2');
    await cluster.waitFor(new RegExp(`m2 \\(pid ${pid}\\) died \\(signal SIGKILL\\)`), 15_000);
    expect(existsSync(join(dataDir, 'm2.pid'))).toBe(false);
    expect(cluster.running).toBe(true);
  });
});
