import { afterEach, describe, expect, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { memberUrl } from '../../src/local/bindings.ts';
import { call } from './client.ts';
import { type StartedCommand, Workshop } from './cluster.ts';
import { DnsServer } from './dns_server.ts';
import { freePorts, RealEtcd, withoutEtcd } from './real_etcd.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

interface Place {
  readonly name: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
}

async function places(count: number): Promise<Place[]> {
  const ports = await freePorts(2 * count);
  return Array.from({ length: count }, (_, i) => ({
    name: `m${i + 1}`,
    clientUrl: memberUrl(must(ports[2 * i], 'a port')),
    peerUrl: memberUrl(must(ports[2 * i + 1], 'a port')),
  }));
}

/** Members that are started each by itself, as on three machines. */
describe('three members that nobody starts together', () => {
  const workshop = new Workshop();
  afterEach(() => workshop.clear());

  function start(
    { name, clientUrl, peerUrl }: Place,
    env: Readonly<Record<string, string>>,
    dataDir = workshop.dataDir(),
  ): StartedCommand {
    return workshop.member([], {
      ETCD_NAME: name,
      ETCD_DATA_DIR: dataDir,
      ETCD_LISTEN_CLIENT_URLS: clientUrl,
      ETCD_LISTEN_PEER_URLS: peerUrl,
      ETCD_INITIAL_ADVERTISE_PEER_URLS: peerUrl,
      PEER_SECRET: 'shared',
      ...env,
    });
  }

  async function ready(commands: readonly StartedCommand[]): Promise<void> {
    await Promise.all(commands.map((command) => command.waitFor(/is ready/, 40_000)));
  }

  /** A write at one is read at another, and all know the same members. */
  async function check(members: readonly Place[]): Promise<void> {
    const [first, last] = [must(members[0], 'a first'), must(members.at(-1), 'a last')];
    await call(first.clientUrl, '/v3/kv/put', { key: base64('k'), value: base64('v') });
    const { kvs } = await call(last.clientUrl, '/v3/kv/range', { key: base64('k') });
    expect(kvs).toMatchObject([{ value: base64('v') }]);
    for (const { clientUrl } of members) {
      const list = await call(clientUrl, '/v3/cluster/member/list', { linearizable: true });
      const known = (list['members'] as { name: string; peerURLs: string[] }[])
        .map(({ name, peerURLs }) => `${name}=${peerURLs.join()}`)
        .sort();
      expect(known).toEqual(members.map(({ name, peerUrl }) => `${name}=${peerUrl}`));
    }
  }

  test('found a cluster by ETCD_INITIAL_CLUSTER, and come back without one another', async () => {
    const members = await places(3);
    const env = { ETCD_INITIAL_CLUSTER: members.map((m) => `${m.name}=${m.peerUrl}`).join() };
    const homes = members.map(() => workshop.dataDir());
    const commands = members.map((member, i) => start(member, env, homes[i]));
    await ready(commands);
    await check(members);
    await Promise.all(commands.map((command) => command.stop()));
    const [again, other] = members.map((member, i) => start(member, env, homes[i]));
    await ready([must(again, 'm1'), must(other, 'm2')]);
    const { clientUrl } = must(members[0], 'm1');
    const { kvs } = await call(clientUrl, '/v3/kv/range', { key: base64('k') });
    expect(kvs).toMatchObject([{ value: base64('v') }]);
  });

  test('are refused in the words of etcd when they do not belong together', async () => {
    const [m1, m2] = await places(2);
    const list = [m1, m2].map((m) => `${m?.name}=${m?.peerUrl}`).join();
    const env = { ETCD_INITIAL_CLUSTER: list };
    const first = start(must(m1, 'm1'), { ...env, ETCD_INITIAL_CLUSTER_TOKEN: 'a' });
    const second = start(must(m2, 'm2'), { ...env, ETCD_INITIAL_CLUSTER_TOKEN: 'b' });
    await Promise.all([
      first.waitFor(/request cluster ID mismatch \(got \w+ want \w+\)/, 30_000),
      second.waitFor(/request cluster ID mismatch \(got \w+ want \w+\)/, 30_000),
    ]);
    expect([await first.exited, await second.exited]).toEqual([1, 1]);
    const stranger = start({ ...must(m1, 'm1'), name: 'm9' }, env);
    await stranger.waitFor(/couldn't find local name "m9" in the initial cluster/, 20_000);
    expect(await stranger.exited).toBe(1);
  });

  test.skipIf(withoutEtcd)('find each other by a real etcd as discovery service', async () => {
    const [clientPort = 0, peerPort = 0] = await freePorts(2);
    const service = new RealEtcd(
      workshop,
      'service',
      [clientPort, peerPort],
      ['--initial-cluster', `service=${memberUrl(peerPort)}`],
    );
    await service.ready();
    const url = `${service.clientUrl}/v2/keys/_etcd/registry/ours`;
    const body = new URLSearchParams({ value: '3' });
    expect((await fetch(`${url}/_config/size`, { method: 'PUT', body })).status).toBe(201);
    const members = await places(3);
    const env = { ETCD_DISCOVERY: url };
    const homes = members.map(() => workshop.dataDir());
    await ready(members.map((member, i) => start(member, env, homes[i])));
    await check(members);

    const [place] = await places(1);
    const late = start({ ...must(place, 'a place'), name: 'm4' }, env);
    await late.waitFor(/discovery: cluster is full/, 20_000);
    expect(await late.exited).toBe(1);
  });

  test('find each other by DNS SRV', async () => {
    const members = await places(3);
    // A name that the machine knows too: peers are reached by what the records say.
    const found = members.map((each) => ({
      ...each,
      peerUrl: each.peerUrl.replace('127.0.0.1', 'localhost'),
    }));
    const dns = new DnsServer({
      srv: {
        '_etcd-server-blue._tcp.edge.test': found.map(
          ({ peerUrl }) => [Number(new URL(peerUrl).port), 'localhost'] as const,
        ),
      },
      a: { localhost: ['127.0.0.1'] },
    });
    const server = await dns.listen();
    try {
      const env = {
        ETCD_DISCOVERY_SRV: 'edge.test',
        ETCD_DISCOVERY_SRV_NAME: 'blue',
        EDGETCD_DNS_SERVERS: server,
      };
      await ready(members.map((member) => start(member, env)));
      await check(found);
      expect(dns.asked).toContain('SRV _etcd-server-ssl-blue._tcp.edge.test');
      expect(dns.asked).toContain('A localhost');
    } finally {
      dns.close();
    }
  });
});
