import { readFileSync } from 'node:fs';
import { afterEach, expect, it, vi } from 'vitest';
import { readProxyCommandLine } from './command-line.ts';

afterEach(() => vi.restoreAllMocks());

const read = (line: string) => readProxyCommandLine(line.split(' '));

it('takes a cluster, and listens where etcd does', () => {
  expect(read('--endpoints https://etcd.example.workers.dev')).toEqual({
    endpoints: ['https://etcd.example.workers.dev'],
    host: '127.0.0.1',
    port: 2379,
    tls: null,
  });
});

it("takes etcd's own command line for it", () => {
  const line = 'start --endpoints 127.0.0.1:2380,http://b:1/ --listen 0.0.0.0:23790';
  expect(read(line)).toMatchObject({
    endpoints: ['http://127.0.0.1:2380', 'http://b:1'],
    host: '0.0.0.0',
    port: 23790,
  });
  expect(read('--endpoints a:1 --listen [::1]:7')).toMatchObject({ host: '::1', port: 7 });
});

it('reads certificates', () => {
  const file = new URL('command-line.ts', import.meta.url).pathname;
  const text = readFileSync(file, 'utf8');
  const served = `--endpoints a:1 --cert-file ${file} --key-file ${file}`;
  expect(read(served)?.tls).toEqual({ cert: text, key: text, minVersion: 'TLSv1.2' });
  const mutual = read(`${served} --trusted-ca-file ${file}`)?.tls;
  expect(mutual).toMatchObject({ ca: text, requestCert: true });
});

it.each([
  ['', '--endpoints must be URLs of HTTP'],
  ['--endpoints', '--endpoints'],
  ['--endpoints ftp://a', '--endpoints must be URLs of HTTP, separated by commas: "ftp://a"'],
  ['--endpoints a:1,', '--endpoints must be URLs of HTTP, separated by commas: ""'],
  ['--endpoints a:1 --listen b', '--listen must be host:port, not "b"'],
  ['--endpoints a:1 --listen b:65536', 'not "b:65536"'],
  ['--endpoints a:1 --cert-file x', 'TLS takes both --cert-file and --key-file'],
  ['--endpoints a:1 --trusted-ca-file x', 'TLS takes both --cert-file and --key-file'],
  ['--endpoints a:1 --cert-file /none --key-file /none', 'ENOENT'],
  ['--endpoints a:1 --lisen b:1', 'lisen'],
  ['stop --endpoints a:1', 'unexpected argument "stop"'],
])('refuses "%s"', (line, words) => {
  expect(() => read(line)).toThrow(words);
});

it('explains every flag, and the document does too', () => {
  let said = '';
  vi.spyOn(console, 'info').mockImplementation((text: string) => {
    said += text;
  });
  vi.spyOn(console, 'log').mockImplementation((text: string) => {
    said += text;
  });
  expect(read('--help')).toBeNull();
  const document = readFileSync(new URL('../../docs/GRPC.md', import.meta.url), 'utf8');
  const flags = ['--endpoints', '--listen', '--cert-file', '--key-file', '--trusted-ca-file'];
  const known = [...said.matchAll(/^ +(--[a-z-]+)/gm)].map(([, flag]) => flag);
  expect(known).toEqual(expect.arrayContaining(flags));
  for (const flag of known) expect(document, flag).toContain(`\`${flag}\``);
  expect(said).toContain('127.0.0.1:2379');
});
