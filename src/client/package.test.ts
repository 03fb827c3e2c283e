import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { transformSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = (...args: string[]) =>
  spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', timeout: 60_000 });

describe('the client as it is published', () => {
  const directory = mkdtempSync(join(tmpdir(), 'edgetcd-client-'));
  const bundle = join(directory, 'client', 'index.js');

  beforeAll(() => {
    const { status, stdout, stderr } = run('src/client/build.mjs', join(directory, 'client'));
    expect([status, stdout, stderr]).toEqual([0, '', '']);
  }, 60_000);
  afterAll(() => rmSync(directory, { recursive: true }));

  it('is under 30 kB, compressed, with all its names', () => {
    const code = readFileSync(bundle, 'utf8');
    expect(gzipSync(code).length).toBeLessThan(30_000);
    expect(gzipSync(transformSync(code, { minify: true }).code).length).toBeLessThan(20_000);
  });

  it('imports nothing, and names nothing of one platform', () => {
    const code = readFileSync(bundle, 'utf8');
    expect(code).not.toMatch(/^import /m);
    expect(code).not.toMatch(/\bimport\(|\brequire\(|\bprocess\.|\bBuffer\b|cloudflare:|node:/);
  });

  it('runs as it is', async () => {
    const { Etcd, EtcdError } = await import(pathToFileURL(bundle).href);
    const asked: string[] = [];
    const binding = {
      fetch: async (url: string, init: RequestInit) => {
        asked.push(`${url} ${init.body}`);
        return new Response('{"error":"no","code":5,"message":"no"}', { status: 404 });
      },
    };
    const etcd = new Etcd({ binding });
    await expect(etcd.get('a').string()).rejects.toThrow(EtcdError);
    expect(asked).toEqual(['http://etcd/v3/kv/range {"key":"YQ=="}']);
  });

  it('has types that stand by themselves', () => {
    const consumer = `
      import { Etcd, type WatchEvent } from './client/index.js';
      const etcd = new Etcd({ endpoints: 'http://localhost' });
      export async function main(): Promise<[string | null, number, WatchEvent | null]> {
        const { revision } = await etcd.put('a').value('1');
        for await (const event of etcd.watch().prefix('a')) return [null, revision, event];
        return [await etcd.get('a'), revision, null];
      }
      // @ts-expect-error a value is text, bytes or a number
      etcd.put('a').value({});
    `;
    writeFileSync(join(directory, 'consumer.ts'), consumer);
    const compilerOptions = {
      noEmit: true,
      strict: true,
      target: 'es2022',
      module: 'esnext',
      moduleResolution: 'bundler',
      lib: ['es2023', 'dom', 'dom.asynciterable', 'esnext.disposable'],
      types: [],
    };
    const project = join(directory, 'tsconfig.json');
    writeFileSync(project, JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
    const { stdout, status } = run('node_modules/typescript/bin/tsc', '-p', project);
    expect([stdout, status]).toEqual(['', 0]);
  }, 60_000);

  it('is described, all of it, as it is now', () => {
    const { status, stderr } = run('src/client/document.mjs', '--check');
    expect([stderr, status]).toEqual(['', 0]);
  }, 60_000);
});
