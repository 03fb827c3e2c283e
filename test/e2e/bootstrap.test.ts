import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { memberUrl } from '../../src/local/bindings.ts';
import { sendSignal } from '../../src/local/process.ts';
import { answerDns, type Lookup, systemLookup } from '../../src/local/resolver.ts';
import { call, changeMembers } from './client.ts';
import { eventually, type StartedCommand, Workshop } from './cluster.ts';
import { DnsServer } from './dns_server.ts';
import { freePorts, RealEtcd, skipNote, withoutEtcd } from './real_etcd.ts';
import { v2 } from './v2_client.ts';

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

  test.skipIf(withoutEtcd)(`find each other by a real etcd as service${skipNote}`, async () => {
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
    // They registered under the ids that they have, as etcd's do.
    const { node } = await v2(service.clientUrl, 'GET', '/_etcd/registry/ours');
    const registered = (node.nodes ?? []).map(({ key }) => key.split('/').at(-1)).sort();
    const answer = await fetch(`${must(members[0], 'm1').clientUrl}/v2/members`);
    const listed = (await answer.json()) as { members: { id: string }[] };
    expect(registered).toEqual(listed.members.map(({ id }) => id).sort());

    const [place] = await places(1);
    const late = start({ ...must(place, 'a place'), name: 'm4' }, env);
    await late.waitFor(/discovery: cluster is full/, 20_000);
    expect(await late.exited).toBe(1);
  });

  test('find each other by a discovery service of ours, and are too late for it', async () => {
    const [place, ...rest] = await places(5);
    const home = must(place, 'a place');
    // Strangers may use it, but only with a token of somebody who may make one.
    const env = {
      ALLOW_NONE_AUTHENTICATION: 'no',
      EDGETCD_DISCOVERY_SERVICE: 'on',
      EDGETCD_DISCOVERY_SECRET: 'hush',
    };
    await ready([start(home, env)]);
    expect((await fetch(`${home.clientUrl}/v2/keys/discovery`)).status).toBe(500);
    expect((await fetch(`${home.clientUrl}/new?size=3`)).status).toBe(401);
    const headers = { authorization: 'Bearer hush' };
    const url = await (await fetch(`${home.clientUrl}/new?size=3`, { headers })).text();
    const members = rest.slice(0, 3);
    await ready(members.map((member) => start(member, { ETCD_DISCOVERY: url })));
    await check(members);
    const late = start(must(rest[3], 'a place'), { ETCD_DISCOVERY: url });
    await late.waitFor(/discovery: cluster is full/, 20_000);
    expect(await late.exited).toBe(1);
  });

  test('go on with their own entries when they were killed before they had met', async () => {
    const [m1, m2, m3] = await places(3);
    const service = must(m1, 'm1');
    await ready([start(service, { ETCD_INITIAL_CLUSTER: `m1=${service.peerUrl}` })]);
    const url = await (await fetch(`${service.clientUrl}/new?size=2`)).text();
    const [first, second] = [must(m2, 'm2'), must(m3, 'm3')];
    const home = workshop.dataDir();
    const env = { ETCD_DISCOVERY: url };
    const killed = start(first, env, home);
    await eventually('it has registered', 20_000, async () => {
      const { node } = (await (await fetch(url)).json()) as { node: { nodes?: unknown[] } };
      return node.nodes?.length === 1;
    });
    const worker = Number(readFileSync(join(home, 'm2.pid'), 'utf8'));
    for (const pid of [killed.pid, worker]) sendSignal(pid, 'SIGKILL');
    await killed.exited;
    await ready([start(first, env, home), start(second, env)]);
    await check([first, second]);
  });

  test('are joined by a fourth, when the cluster has added it', async () => {
    const [fourth, ...members] = (await places(4)).reverse();
    const newcomer = must(fourth, 'a fourth');
    const shown = ({ name, peerUrl }: Place) => `${name}=${peerUrl}`;
    const founders = members.map(shown).join();
    await ready(members.map((member) => start(member, { ETCD_INITIAL_CLUSTER: founders })));
    const env = {
      ETCD_INITIAL_CLUSTER: [...members, newcomer].map(shown).join(),
      ETCD_INITIAL_CLUSTER_STATE: 'existing',
    };
    const command = start(newcomer, env);
    const { clientUrl } = must(members[0], 'a member');
    await eventually('it waits to be added', 20_000, async () => {
      const { reason } = await health(newcomer.clientUrl);
      return reason.includes(`no member of the cluster has the peer URL ${newcomer.peerUrl}`);
    });
    await changeMembers(clientUrl, 'add', { peerURLs: [newcomer.peerUrl] });
    await ready([command]);
    await check([newcomer, ...members].reverse());
  });

  for (const way of ['the resolver of the system', 'DNS over HTTPS'] as const) {
    test(`find each other by DNS SRV, asked by ${way}`, () => bySrv(way));
  }

  async function bySrv(way: 'the resolver of the system' | 'DNS over HTTPS'): Promise<void> {
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
    const https = await dnsOverHttp(systemLookup(server));
    try {
      const env = {
        ETCD_DISCOVERY_SRV: 'edge.test',
        ETCD_DISCOVERY_SRV_NAME: 'blue',
        ...(way === 'DNS over HTTPS'
          ? { EDGETCD_DNS_OVER_HTTPS: https.url }
          : { EDGETCD_DNS_SERVERS: server }),
      };
      await ready(members.map((member) => start(member, env)));
      await check(found);
      expect(dns.asked).toContain('SRV _etcd-server-ssl-blue._tcp.edge.test');
      expect(dns.asked).toContain('A localhost');
      expect(https.asked > 0).toBe(way === 'DNS over HTTPS');
    } finally {
      dns.close();
      await https.close();
    }
  }
});

async function health(url: string): Promise<{ reason: string }> {
  try {
    return (await (await fetch(`${url}/health`)).json()) as { reason: string };
  } catch {
    return { reason: '' };
  }
}

/** A resolver as Workers have it, but without the S: the same JSON. */
async function dnsOverHttp(find: Lookup) {
  const state = { asked: 0 };
  const server = createServer((request, response) => {
    state.asked++;
    void answerDns(`http://resolver${request.url}`, find)
      .then((answer) => answer.text())
      .then((text) => response.end(text));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `${memberUrl(port)}/dns-query`,
    get asked() {
      return state.asked;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
