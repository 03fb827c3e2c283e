import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { compatibilityDate } from '../../src/local/workerd.ts';
import { bundledDeployment } from '../deployment.ts';
import { eventually } from './cluster.ts';

const HOST = '127.0.0.1';
const PORT = 24_270;
const entry = fileURLToPath(new URL('../../examples/flags/worker.ts', import.meta.url));

/** The example, as its package would be bundled. */
async function bundleExample(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    conditions: ['edgetcd-source', 'workerd', 'worker'],
    write: false,
  });
  return must(outputFiles[0], 'esbuild has made one file').text;
}

/** Server-sent events, as they come. */
class Events {
  readonly seen: string[] = [];
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(response: Response) {
    this.#reader = must(response.body, 'a stream has a body').getReader();
    void this.#read();
  }

  stop(): Promise<void> {
    return this.#reader.cancel();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      const parts = (text + decoder.decode(value, { stream: true })).split('\n\n');
      text = parts.pop() ?? '';
      this.seen.push(...parts);
    }
  }
}

/** The event's name and data, without its id. */
const told = (events: Events): string[] =>
  events.seen.map((event) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(event)?.[1];
    return `${field('event')} ${field('data')}`;
  });

describe('the example of feature flags', () => {
  const directory = mkdtempSync(join(tmpdir(), 'edgetcd-'));
  let miniflare: Miniflare;

  beforeAll(async () => {
    miniflare = new Miniflare({
      host: HOST,
      port: 0,
      durableObjectsPersist: directory,
      cf: false,
      workers: [
        {
          name: 'flags',
          modules: true,
          script: await bundleExample(),
          compatibilityDate,
          serviceBindings: { ETCD: 'edgetcd' },
          unsafeDirectSockets: [{ host: HOST, port: PORT }],
        },
        await bundledDeployment('edgetcd'),
      ],
    });
    await miniflare.ready;
    await eventually('the flags can be read', 30_000, async () => (await ask('GET', '')).ok);
  }, 60_000);
  afterAll(async () => {
    await miniflare.dispose();
    rmSync(directory, { recursive: true, force: true });
  });

  const ask = (method: string, name: string, value?: unknown): Promise<Response> => {
    const body = value === undefined ? null : JSON.stringify(value);
    const path = name === '' ? '/flags' : `/flags/${name}`;
    return fetch(`http://${HOST}:${PORT}${path}`, { method, body });
  };
  const live = async (headers: Record<string, string> = {}): Promise<Events> =>
    new Events(await fetch(`http://${HOST}:${PORT}/live`, { headers }));

  it('writes, reads and deletes flags', async () => {
    expect((await ask('PUT', 'dark', true)).status).toBe(200);
    expect((await ask('PUT', 'share', { percent: 5 })).status).toBe(200);
    expect(await (await ask('GET', '')).json()).toEqual({ dark: true, share: { percent: 5 } });
    expect(await (await ask('GET', 'share')).json()).toEqual({ percent: 5 });
    expect((await ask('DELETE', 'share')).status).toBe(200);
    expect((await ask('DELETE', 'share')).status).toBe(404);
    expect((await ask('GET', 'share')).status).toBe(404);
  });

  it('tells pages of every change, also of those that they have missed', async () => {
    const first = await live();
    await eventually('all flags', 10_000, () => first.seen.length === 1);
    await ask('PUT', 'dark', false);
    await ask('PUT', 'new', 1);
    await eventually('two changes', 10_000, () => first.seen.length === 3);
    expect(told(first)).toEqual(['all {"dark":true}', 'change {"dark":false}', 'change {"new":1}']);
    await first.stop();
    await ask('DELETE', 'new');
    const id = must(/^id: (\d+)$/m.exec(first.seen[1] ?? '')?.[1], 'an event has an id');
    const second = await live({ 'last-event-id': id });
    await eventually('what was missed', 10_000, () => second.seen.length === 2);
    expect(told(second)).toEqual(['change {"new":1}', 'change {"new":null}']);
    await second.stop();
  });

  it('has a page', async () => {
    const response = await fetch(`http://${HOST}:${PORT}/`);
    expect(await response.text()).toContain("new EventSource('/live')");
  });
});
