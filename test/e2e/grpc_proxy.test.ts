import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { freePort } from '../../src/local/ports.ts';
import { eventually, freeFirstPort, Workshop } from './cluster.ts';
import { Etcdctl, hasEtcdctl } from './etcdctl.ts';

/** `npm run grpc-proxy` as its operator sees it: certificates, pages, signals. */

const bootstrap = fileURLToPath(new URL('../../src/local/bootstrap.mjs', import.meta.url));
const hasOpenssl = spawnSync('openssl', ['version']).error === undefined;
const workshop = new Workshop();
const children: ChildProcess[] = [];
let endpoint: string;

beforeAll(async () => {
  const flags = ['--grpc=false'];
  const port = await freeFirstPort(1);
  const cluster = await workshop.launch({ dataDir: workshop.dataDir(), port, size: 1, flags });
  endpoint = must(cluster.endpoints[0], 'a cluster has an endpoint');
}, 60_000);
afterAll(async () => {
  await Promise.all(children.map(end));
  await workshop.clear();
}, 30_000);

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

interface Proxy {
  readonly port: number;
  readonly child: ChildProcess;
  output(): string;
}

/** Waits until it says where it serves. */
async function startProxy(flags: readonly string[], endpoints = endpoint): Promise<Proxy> {
  const port = await freePort();
  const listen = ['--endpoints', endpoints, '--listen', `127.0.0.1:${port}`];
  const child = spawn(process.execPath, [bootstrap, 'grpc-proxy', ...listen, ...flags]);
  children.push(child);
  let output = '';
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  await eventually('the proxy serves', 20_000, () => output.includes('gRPC at'));
  return { port, child, output: () => output };
}

/** Files of a small authority, and of whom it vouches for. */
class Certificates {
  readonly ca: string;
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.ca = join(directory, 'ca.crt');
    const key = join(directory, 'ca.key');
    this.#openssl(['req', '-x509', ...NEW_KEY, '-keyout', key, '-out', this.ca, '-subj', '/CN=ca']);
  }

  issue(name: string): { readonly cert: string; readonly key: string } {
    const [cert, key, asked, names] = ['crt', 'key', 'csr', 'ext'].map((end) =>
      join(this.#directory, `${name}.${end}`),
    ) as [string, string, string, string];
    writeFileSync(names, 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
    this.#openssl(['req', ...NEW_KEY, '-keyout', key, '-out', asked, '-subj', `/CN=${name}`]);
    const authority = ['-CA', this.ca, '-CAkey', join(this.#directory, 'ca.key')];
    const signed = ['-CAcreateserial', '-days', '2', '-extfile', names, '-out', cert];
    this.#openssl(['x509', '-req', '-in', asked, ...authority, ...signed]);
    return { cert, key };
  }

  #openssl(args: readonly string[]): void {
    const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** Puts over a connection with these credentials. @returns null: it went well */
function put(port: number, own: ReturnType<typeof credentials.createSsl>) {
  const client = new Client(`127.0.0.1:${port}`, own);
  const same = (bytes: Buffer): Buffer => bytes;
  // PutRequest with the key "k".
  const message = Buffer.of(10, 1, 0x6b);
  const deadline = Date.now() + 10_000;
  return new Promise<ServiceError | null>((resolve) => {
    const path = '/etcdserverpb.KV/Put';
    client.makeUnaryRequest(path, same, same, message, { deadline }, (error) => resolve(error));
  }).finally(() => client.close());
}

describe.skipIf(!hasOpenssl)('certificates', () => {
  let files: Certificates;
  let server: { readonly cert: string; readonly key: string };

  beforeAll(() => {
    files = new Certificates(workshop.dataDir());
    server = files.issue('server');
  });

  it("serve gRPC and pages to whoever trusts the listener's", async () => {
    const flags = ['--cert-file', server.cert, '--key-file', server.key];
    const { port } = await startProxy(flags);
    const trusted = readFileSync(files.ca);
    expect(await put(port, credentials.createSsl(trusted))).toBeNull();
    expect(await put(port, credentials.createSsl())).toMatchObject({ code: 14 });
    expect(await put(port, credentials.createInsecure())).toMatchObject({ code: 14 });
    const health = await page(port, '/health', { ca: trusted });
    expect(JSON.parse(health)).toMatchObject({ health: 'true' });
    if (!hasEtcdctl) return;
    const etcdctl = new Etcdctl([`https://127.0.0.1:${port}`]);
    expect(await etcdctl.say('put', 'tls', '1', '--cacert', files.ca)).toBe('OK\n');
  });

  it('keep out who has none that the authority has signed', async () => {
    const own = ['--cert-file', server.cert, '--key-file', server.key];
    const { port } = await startProxy([...own, '--trusted-ca-file', files.ca]);
    const [trusted, mine] = [readFileSync(files.ca), files.issue('client')];
    const withOwn = ({ cert, key }: { cert: string; key: string }) =>
      credentials.createSsl(trusted, readFileSync(key), readFileSync(cert));
    expect(await put(port, withOwn(mine))).toBeNull();
    expect(await put(port, credentials.createSsl(trusted))).toMatchObject({ code: 14 });
    const stranger = new Certificates(workshop.dataDir()).issue('client');
    expect(await put(port, withOwn(stranger))).toMatchObject({ code: 14 });
    await expect(page(port, '/health', { ca: trusted })).rejects.toThrow();
    if (!hasEtcdctl) return;
    const etcdctl = new Etcdctl([`https://127.0.0.1:${port}`]);
    const known = ['--cacert', files.ca, '--cert', mine.cert, '--key', mine.key];
    expect(await etcdctl.say('get', 'none', ...known)).toBe('');
    const { code } = await etcdctl.run(['get', 'none', '--cacert', files.ca]);
    expect(code).not.toBe(0);
  });

  /** A page over HTTP/1. */
  function page(port: number, path: string, options: { readonly ca: Buffer }): Promise<string> {
    return new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, path, ...options }, async (response) => {
        let text = '';
        for await (const chunk of response) text += String(chunk);
        resolve(text);
      });
      asked.on('error', reject);
      asked.end();
    });
  }
});

describe('the proxy', () => {
  it('has pages, says what it has done, and ends when told to', async () => {
    const { port, child } = await startProxy([]);
    const url = `http://127.0.0.1:${port}`;
    expect(await put(port, credentials.createInsecure())).toBeNull();
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const labels = 'grpc_service="etcdserverpb.KV",grpc_method="Put",grpc_code="OK"';
    expect(metrics).toContain(`edgetcd_bridge_handled_total{${labels}} 1`);
    for (const name of ['connections', 'streams', 'shared_watches']) {
      expect(metrics).toMatch(new RegExp(`^edgetcd_bridge_${name} \\d+$`, 'm'));
    }
    expect(metrics).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect(metrics).toMatch(/^process_cpu_seconds_total [\d.]+$/m);
    for (const path of ['/health', '/proxy/health']) {
      const health = await fetch(url + path);
      expect(health.status).toBe(200);
      expect(await health.json()).toMatchObject({ health: 'true' });
    }
    expect(await (await fetch(`${url}/version`)).json()).toHaveProperty('etcdserver');
    expect((await fetch(`${url}/none`)).status).toBe(404);
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect(child.exitCode).toBe(0);
  });

  it('passes over endpoints that are not there, and says when none is', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const { port } = await startProxy([], `${nobody},${endpoint}`);
    expect(await put(port, credentials.createInsecure())).toBeNull();
    const lost = await startProxy([], nobody);
    const refused = await put(lost.port, credentials.createInsecure());
    // By these words etcd's clients know that a write may be made again.
    expect(refused).toMatchObject({ code: 14, details: 'there is no connection available' });
    const health = await fetch(`http://127.0.0.1:${lost.port}/health`);
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({ health: 'false' });
  });

  it('refuses a command line that is wrong', async () => {
    const flags = ['--endpoints', 'ftp://nowhere'];
    const { status, stderr } = spawnSync(process.execPath, [bootstrap, 'grpc-proxy', ...flags], {
      encoding: 'utf8',
    });
    expect(status).toBe(2);
    expect(stderr).toContain('--endpoints must be URLs of HTTP');
  });
});
