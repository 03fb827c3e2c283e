import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from './ports.ts';
import { findProcess } from './process.ts';
import { startWorkerd, type WorkerdProcess, type WorkerdSpec } from './workerd.ts';

/** A counter in a Durable Object: enough to see a database survive, and a line of output. */
const counterScript = `
import { DurableObject } from 'cloudflare:workers';
export class EtcdMember extends DurableObject {
  add() {
    this.ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS hit (id INTEGER PRIMARY KEY)');
    this.ctx.storage.sql.exec('INSERT INTO hit DEFAULT VALUES');
    return this.ctx.storage.sql.exec('SELECT count(*) AS n FROM hit').one().n;
  }
}
export default {
  async fetch(request, env) {
    console.log('hit by ' + env.ETCD_NAME);
    const n = await env.MEMBER.get(env.MEMBER.idFromName('x')).add();
    return new Response(env.ETCD_NAME + ' ' + n);
  },
};`;

describe('startWorkerd', () => {
  let directory = '';
  const running: WorkerdProcess[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'edgetcd-workerd-'));
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((member) => member.stop()));
    rmSync(directory, { recursive: true, force: true });
  });

  async function start(name: string, port: number, script = counterScript) {
    const lines: string[] = [];
    const spec: WorkerdSpec = {
      script,
      bindings: { ETCD_NAME: name },
      persistPath: join(directory, name),
      port,
      onLine: (_stream, line) => void lines.push(line),
    };
    const member = await startWorkerd(spec);
    running.push(member);
    const get = async () => (await fetch(`http://127.0.0.1:${port}/`)).text();
    return { member, get, lines };
  }

  test('members that start together have their own processes, ports and bindings', async () => {
    const [portA, portB] = [await freePort(), await freePort()];
    const [a, b] = await Promise.all([start('a', portA), start('b', portB)]);
    expect(a.member.pid).not.toBe(b.member.pid);
    expect(await a.get()).toBe('a 1');
    expect(await b.get()).toBe('b 1');
    expect(a.lines).toContain('hit by a');
    process.kill(a.member.pid, 'SIGKILL');
    expect(await a.member.exited).toEqual({ signal: 'SIGKILL' });
    expect(await b.get()).toBe('b 2');
  });

  test('what was written outlives kill -9, on the same port', async () => {
    const port = await freePort();
    const first = await start('a', port);
    await first.get();
    process.kill(first.member.pid, 'SIGKILL');
    await first.member.exited;
    await first.member.stop();
    const second = await start('a', port);
    expect(await second.get()).toBe('a 2');
  });

  test('stop ends the process', async () => {
    const { member } = await start('a', await freePort());
    await member.stop();
    expect(findProcess(member.pid)).toBeNull();
  });

  test('a Worker that does not compile is an error and leaves no signal handlers', async () => {
    const handlers = process.listenerCount('SIGINT');
    await expect(start('a', await freePort(), 'export default {')).rejects.toThrow();
    await start('b', await freePort());
    expect(process.listenerCount('SIGINT')).toBe(handlers);
  });
});
