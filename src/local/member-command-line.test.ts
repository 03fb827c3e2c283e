import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { variableOf } from './flags.ts';
import { MEMBER_FLAGS } from './member_flags.ts';
import { memberHelp, readMemberCommandLine } from './member-command-line.ts';

const read = (argv: string, environment: Record<string, string> = {}) =>
  readMemberCommandLine(argv.split(' ').filter(Boolean), environment);

test('without anything it is etcd as it starts by default', () => {
  expect(read('')).toEqual({
    name: 'default',
    dataDir: resolve('.edgetcd-default'),
    clientListeners: [{ host: '127.0.0.1', port: 2379 }],
    peerListeners: [{ host: '127.0.0.1', port: 2380 }],
    variables: {
      ALLOW_NONE_AUTHENTICATION: 'yes',
      ETCD_ADVERTISE_CLIENT_URLS: 'http://127.0.0.1:2379',
      ETCD_INITIAL_ADVERTISE_PEER_URLS: 'http://localhost:2380',
      ETCD_LOG_LEVEL: 'info',
      ETCD_NAME: 'default',
    },
    logLevel: 'info',
    restart: true,
    grpc: true,
  });
});

test('flags and variables say the same', () => {
  const said = {
    name: 'm1',
    'data-dir': '/x',
    'listen-client-urls': 'http://10.0.0.1:2379,http://127.0.0.1:2379',
    'listen-peer-urls': 'http://[::1]:2380',
    'advertise-client-urls': 'http://a:2379',
    'initial-advertise-peer-urls': 'http://a:2380',
    'initial-cluster': 'm1=http://a:2380,m2=http://b:2380',
    'initial-cluster-state': 'existing',
    'initial-cluster-token': '007',
    'log-level': 'warn',
  };
  const argv = Object.entries(said).map(([flag, value]) => `--${flag}=${value}`);
  const environment = Object.fromEntries(
    Object.entries(said).map(([flag, value]) => [variableOf(flag), value]),
  );
  const byFlags = read(argv.join(' '));
  expect(byFlags).toEqual(read('', environment));
  expect(byFlags).toMatchObject({
    dataDir: '/x',
    clientListeners: [
      { host: '10.0.0.1', port: 2379 },
      { host: '127.0.0.1', port: 2379 },
    ],
    peerListeners: [{ host: '::1', port: 2380 }],
    logLevel: 'warn',
  });
  expect(byFlags?.variables).toEqual({
    ETCD_NAME: 'm1',
    ETCD_ADVERTISE_CLIENT_URLS: 'http://a:2379',
    ETCD_INITIAL_ADVERTISE_PEER_URLS: 'http://a:2380',
    ETCD_INITIAL_CLUSTER: 'm1=http://a:2380,m2=http://b:2380',
    ETCD_INITIAL_CLUSTER_STATE: 'existing',
    ETCD_INITIAL_CLUSTER_TOKEN: '007',
    ETCD_LOG_LEVEL: 'warn',
  });
});

test('who can be reached from elsewhere serves nobody unasked', () => {
  const open = (argv: string, environment = {}) =>
    read(argv, environment)?.variables['ALLOW_NONE_AUTHENTICATION'];
  const wide = '--listen-peer-urls http://0.0.0.0:2380';
  expect(open(wide)).toBeUndefined();
  expect(open(wide, { ALLOW_NONE_AUTHENTICATION: 'yes' })).toBe('yes');
  expect(open('', { ALLOW_NONE_AUTHENTICATION: 'no' })).toBe('no');
});

test('secrets and other variables reach the member, what is not ours does not', () => {
  const environment = {
    PEER_SECRET: 's',
    ETCD_SNAPSHOT_COUNT: '5',
    EDGETCD_CLUSTER: 'c',
    HOME: '/',
  };
  expect(read('', environment)?.variables).toMatchObject({
    PEER_SECRET: 's',
    ETCD_SNAPSHOT_COUNT: '5',
    EDGETCD_CLUSTER: 'c',
  });
  expect(Object.keys(read('', environment)?.variables ?? {})).not.toContain('HOME');
});

test.each([
  ['--listen-client-urls https://127.0.0.1:1', 'TLS is for a proxy in front to end'],
  ['--listen-client-urls http://example.com:1', 'expected IP in URL for binding'],
  ['--listen-client-urls 127.0.0.1:1', 'must be like http://127.0.0.1:2379'],
  ['--listen-client-urls http://127.0.0.1', 'must be like http://127.0.0.1:2379'],
  ['--listen-peer-urls http://127.0.0.1:70000', 'must be like http://127.0.0.1:2379'],
  ['--listen-client-urls http://0.0.0.0:2379', '--advertise-client-urls is required'],
  ['--name a/b', '--name must be'],
  ['--name a --name b', '--name is given more than once'],
  ['--log-level loud', '--log-level must be one of'],
  ['--proxy on', "Unknown option '--proxy'"],
  ['now', "Unexpected argument 'now'"],
])('"%s" is refused', (argv, message) => {
  expect(() => read(argv)).toThrow(message);
});

test('a flag and its variable together are refused in the words of etcd', () => {
  expect(() => read('--name a', { ETCD_NAME: 'a' })).toThrow(
    'conflicting environment variable "ETCD_NAME" is shadowed by corresponding command-line flag ' +
      '(either unset environment variable or disable flag)',
  );
});

test('help names every flag', () => {
  expect(read('--help')).toBeNull();
  const help = memberHelp();
  for (const { flag } of MEMBER_FLAGS.flatMap(([, below]) => below)) {
    expect(help).toContain(`--${flag} `);
  }
});
