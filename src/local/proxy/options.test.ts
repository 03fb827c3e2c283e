import { expect, test } from 'vitest';
import { proxyHelp, readProxyOptions } from './options.ts';

const read = (argv: string, environment = {}) =>
  readProxyOptions(argv.split(' ').filter(Boolean), environment);

test('etcd’s defaults', () => {
  expect(read('--endpoints 10.0.0.1:2379,https://e.example/')).toEqual({
    isReadonly: false,
    listen: [{ host: '127.0.0.1', port: 2379 }],
    start: { kind: 'clients', urls: ['http://10.0.0.1:2379', 'https://e.example'] },
    dnsServers: null,
    failureWaitMs: 5_000,
    refreshIntervalMs: 30_000,
    timeouts: { dialMs: 1_000, writeMs: 5_000, readMs: 0 },
  });
});

test('every variable', () => {
  const environment = {
    ETCD_PROXY: 'readonly',
    ETCD_LISTEN_CLIENT_URLS: 'http://0.0.0.0:1,http://[::1]:2',
    ETCD_INITIAL_CLUSTER: 'a=http://a:2380,b=http://b:2380',
    ETCD_PROXY_FAILURE_WAIT: '1',
    ETCD_PROXY_REFRESH_INTERVAL: '2',
    ETCD_PROXY_DIAL_TIMEOUT: '3',
    ETCD_PROXY_WRITE_TIMEOUT: '4',
    ETCD_PROXY_READ_TIMEOUT: '5',
    ETCD_NAME: 'not a flag of the proxy',
  };
  expect(read('', environment)).toEqual({
    isReadonly: true,
    listen: [
      { host: '0.0.0.0', port: 1 },
      { host: '::1', port: 2 },
    ],
    start: { kind: 'peers', urls: ['http://a:2380', 'http://b:2380'] },
    dnsServers: null,
    failureWaitMs: 1,
    refreshIntervalMs: 2,
    timeouts: { dialMs: 3, writeMs: 4, readMs: 5 },
  });
});

test('a name in DNS', () => {
  const environment = { ETCD_DISCOVERY_SRV_NAME: 'blue', EDGETCD_DNS_SERVERS: '10.0.0.53' };
  expect(read('--discovery-srv edge.example', environment)).toMatchObject({
    start: { kind: 'srv', name: { domain: 'edge.example', suffix: 'blue' } },
    dnsServers: '10.0.0.53',
  });
});

test.each([
  ['', {}, 'one of --endpoints, --initial-cluster, --discovery-srv is missing'],
  ['--endpoints a --initial-cluster a=http://a:1', {}, 'exclude each other'],
  ['--endpoints a --proxy off', {}, '--proxy must be one of on, readonly, not "off"'],
  ['--endpoints http://a/x', {}, '--endpoints must have URLs like'],
  ['--initial-cluster a=do://a', {}, '--initial-cluster must have URLs like'],
  ['--initial-cluster a', {}, '--initial-cluster'],
  ['--endpoints a --proxy-read-timeout 1s', {}, '--proxy-read-timeout must be a number of'],
  ['--endpoints a --proxy-failure-wait 0', {}, 'from 1 to'],
  ['--endpoints a --size 3', {}, '--size'],
  ['--endpoints a', { ETCD_ENDPOINTS: 'b' }, 'conflicting environment variable "ETCD_ENDPOINTS"'],
])('"%s" with %j is refused', (argv, environment, message) => {
  expect(() => read(argv, environment)).toThrow(message);
});

test('help names every flag', () => {
  expect(read('--help')).toBeNull();
  expect(proxyHelp()).toMatch(/--proxy-dial-timeout <ms> .*\(default: 1000\)/);
});
