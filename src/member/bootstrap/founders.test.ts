import { expect, it } from 'vitest';
import { clusterIdentity, foundersOf } from '../identity.ts';
import { type MemberEnv, memberSettings } from '../settings.ts';
import { withFounders } from './founders.ts';
import type { Resolver } from './resolver.ts';

/** A member's rows, which outlive it. */
class Rows {
  readonly #values = new Map<string, unknown>();
  text = (name: string) => (this.#values.get(name) as string | undefined) ?? null;
  set = (name: string, value: unknown) => void this.#values.set(name, value);
}

const PEERED = { PEER_SECRET: 's' };

function find(
  name: string,
  env: MemberEnv,
  rows: Rows,
  resolver: Resolver | null,
  asked: string[],
) {
  const settings = memberSettings(`c/${name}`, { ...PEERED, ...env });
  return withFounders(settings, {
    meta: rows as never,
    ask: async (url) => {
      asked.push(url);
      throw new Error('nobody is to be asked');
    },
    resolver,
    sleep: async () => {
      throw new Error('nothing is to be waited for');
    },
    waiting: () => {},
    durable: async () => {},
  });
}

const dns: Resolver = {
  srv: async (name) =>
    name === '_etcd-server._tcp.a.example'
      ? ['b', 'c'].map((target) => ({ port: 2380, target }))
      : [],
  addresses: async () => [],
};
const bySrv = (host: string) => ({
  ETCD_DISCOVERY_SRV: 'a.example',
  ETCD_INITIAL_ADVERTISE_PEER_URLS: `http://${host}:2380`,
});

it('founders that DNS has found begin with equal states, and with ids of their own', async () => {
  const one = await clusterIdentity(await find('m1', bySrv('b'), new Rows(), dns, []));
  const two = await clusterIdentity(await find('m2', bySrv('c'), new Rows(), dns, []));
  expect(one.clusterId).toBe(two.clusterId);
  expect(one.memberId).not.toBe(two.memberId);
  expect(foundersOf(one)).toEqual(foundersOf(two));
  expect(foundersOf(one).map(({ name, peerUrls }) => [name, ...peerUrls])).toEqual([
    ['', 'http://b:2380'],
    ['', 'http://c:2380'],
  ]);
  // etcd derives the same ids from the same URLs and token.
  const named = { ETCD_INITIAL_CLUSTER: 'm1=http://b:2380,x=http://c:2380' };
  const fixed = await clusterIdentity(memberSettings('c/m1', { ...PEERED, ...named }));
  expect([fixed.clusterId, fixed.memberId]).toEqual([one.clusterId, one.memberId]);
});

it('what was found is kept: a later life does not ask again', async () => {
  const rows = new Rows();
  const first = await find('m1', bySrv('b'), rows, dns, []);
  const silent: Resolver = {
    srv: () => Promise.reject(new Error('asked again')),
    addresses: () => Promise.reject(new Error('asked again')),
  };
  const second = await find('m1', bySrv('b'), rows, silent, []);
  expect(second).toEqual(first);
});

it('whoever is told all members looks for nobody', async () => {
  const env = { ETCD_INITIAL_CLUSTER: 'm1=http://b:2380,m2=http://c:2380' };
  const asked: string[] = [];
  const settings = await find('m1', env, new Rows(), null, asked);
  expect(settings.members).toHaveLength(2);
  expect(asked).toEqual([]);
});

const DISCOVERY = 'https://discovery.example/0123';
const HERE = { ETCD_INITIAL_ADVERTISE_PEER_URLS: 'http://a:2380' };
it.each<[MemberEnv, string]>([
  [{ ETCD_DISCOVERY: DISCOVERY }, 'ETCD_INITIAL_ADVERTISE_PEER_URLS is not set'],
  [{ ETCD_DISCOVERY_SRV: 'a.example' }, 'ETCD_INITIAL_ADVERTISE_PEER_URLS is not set'],
  [{ ...HERE, ETCD_DISCOVERY: 'discovery.example/t' }, 'ETCD_DISCOVERY must be like'],
  [{ ...HERE, ETCD_DISCOVERY: 'https://discovery.example' }, 'ETCD_DISCOVERY must be like'],
  [{ ...HERE, ETCD_DISCOVERY_SRV: 'a b' }, 'ETCD_DISCOVERY_SRV is no domain'],
  [{ ...HERE, ETCD_DISCOVERY_SRV_NAME: 'x' }, 'ETCD_DISCOVERY_SRV_NAME needs'],
  [
    { ...HERE, ETCD_DISCOVERY_SRV: 'a.example', ETCD_DISCOVERY_SRV_NAME: 'x y' },
    'ETCD_DISCOVERY_SRV_NAME is no part of a name',
  ],
  [
    { ...HERE, ETCD_DISCOVERY: DISCOVERY, ETCD_DISCOVERY_SRV: 'a.example' },
    'multiple discovery or bootstrap flags are set. ' +
      'Choose one of "initial-cluster", "discovery" or "discovery-srv"',
  ],
  [
    { ...HERE, ETCD_DISCOVERY: DISCOVERY, ETCD_INITIAL_CLUSTER: 'm1=http://a:2380' },
    'multiple discovery or bootstrap flags are set',
  ],
  [
    { ...HERE, ETCD_DISCOVERY: DISCOVERY, ETCD_INITIAL_CLUSTER_STATE: 'existing' },
    'discovery URL should not be set when joining existing initial cluster',
  ],
  [
    { ...HERE, ETCD_DISCOVERY: DISCOVERY, EDGETCD_IDENTITY_CLUSTER: 'm1=http://b:1' },
    'EDGETCD_IDENTITY_CLUSTER needs ETCD_INITIAL_CLUSTER',
  ],
  [
    { ...HERE, ETCD_INITIAL_CLUSTER: 'm1=http://b:2380' },
    '--initial-cluster has m1=http://b:2380 but missing from ' +
      '--initial-advertise-peer-urls=http://a:2380',
  ],
  [{ ETCD_INITIAL_ADVERTISE_PEER_URLS: 'http://a:1,http://b:1' }, 'must be one URL'],
  [{ EDGETCD_DNS_OVER_HTTPS: 'dns.example' }, 'EDGETCD_DNS_OVER_HTTPS is not a URL'],
  [{ ...HERE, ETCD_DISCOVERY: DISCOVERY, PEER_SECRET: '' }, 'PEER_SECRET is not set'],
])('%j is refused', (env, message) => {
  expect(() => memberSettings('c/m1', { ...PEERED, ...env })).toThrow(message);
});

it('the cluster of a discovery URL has it for its token', () => {
  const { clusterToken, self } = memberSettings('c/m1', {
    ...PEERED,
    ...HERE,
    ETCD_DISCOVERY: DISCOVERY,
  });
  expect([clusterToken, self]).toEqual([DISCOVERY, { name: 'm1', url: 'http://a:2380' }]);
});
