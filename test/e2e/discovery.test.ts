import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { eventually, freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';
import { freePorts, RealEtcd, withoutEtcd } from './real_etcd.ts';
import { v2 } from './v2_client.ts';

/** Real etcd 3.4, unmodified, on our discovery service. */
describe.skipIf(withoutEtcd)('a real etcd and our discovery service', () => {
  const workshop = new Workshop();
  let cluster: RunningCluster;
  let service = '';

  beforeAll(async () => {
    cluster = await workshop.launch({ dataDir: workshop.dataDir(), port: await freeFirstPort() });
    service = must(cluster.endpoints[1], 'a member');
  }, 60_000);
  afterAll(() => workshop.clear());

  /** Three members that know each other by nothing but the URL, and a fourth that comes late. */
  async function bootstrap(url: string): Promise<void> {
    const others = new Workshop();
    try {
      const ports = await freePorts(8);
      const start = (i: number, flags: readonly string[] = []) => {
        const pair = [must(ports[2 * i], 'a port'), must(ports[2 * i + 1], 'a port')] as const;
        return new RealEtcd(others, `e${i + 1}`, pair, ['--discovery', url, ...flags]);
      };
      const members = [start(0), start(1), start(2)];
      await Promise.all(members.map((member) => member.ready()));
      const [first, second] = members.map(({ clientUrl }) => clientUrl);
      const path = '/from-discovery';
      await v2(must(first, 'e1'), 'PUT', path, { value: 'yes' });
      const read = await v2(must(second, 'e2'), 'GET', path, { quorum: true });
      expect(read.node.value).toBe('yes');

      const listed = await (await fetch(`${second}/v2/members`)).json();
      const { members: all } = listed as { members: { name: string; peerURLs: string[] }[] };
      expect(all.map(({ peerURLs }) => peerURLs.join()).sort()).toEqual(
        members.map(({ peerUrl }) => peerUrl).sort(),
      );

      const late = start(3, ['--discovery-fallback', 'proxy']);
      await eventually('the fourth is a proxy', 30_000, () => isProxy(late, path));
      const home = late.process.args[late.process.args.indexOf('--data-dir') + 1] ?? '';
      const file = join(home, 'proxy', 'cluster');
      expect(existsSync(file)).toBe(true);
      const { PeerURLs } = JSON.parse(readFileSync(file, 'utf8')) as { PeerURLs: string[] };
      expect(PeerURLs.sort()).toEqual(members.map(({ peerUrl }) => peerUrl).sort());
    } finally {
      await others.clear();
    }
  }

  async function isProxy(etcd: RealEtcd, path: string): Promise<boolean> {
    try {
      return (await v2(etcd.clientUrl, 'GET', path)).node.value === 'yes';
    } catch {
      return false;
    }
  }

  test('three found a cluster by /new, the fourth is their proxy', async () => {
    const answer = await fetch(`${service}/new?size=3`);
    const url = await answer.text();
    expect(url).toMatch(new RegExp(`^${service}/[0-9a-f]{32}$`));
    await bootstrap(url);
    // What the members have left there, for whoever looks, at any member.
    const { pathname } = new URL(url);
    for (const endpoint of cluster.endpoints) {
      const registry = await v2(endpoint, 'GET', `/discovery${pathname}`, { quorum: true });
      expect(registry.node.nodes).toHaveLength(3);
    }
  });

  test('three found a cluster by a token among the keys', async () => {
    const token = crypto.randomUUID().replaceAll('-', '');
    const url = `${service}/v2/keys/discovery/${token}`;
    const body = new URLSearchParams({ value: '3' });
    expect((await fetch(`${url}/_config/size`, { method: 'PUT', body })).status).toBe(201);
    await bootstrap(url);
  });

  test('a member that has lost its data is a duplicate', async () => {
    const url = await (await fetch(`${service}/new?size=3`)).text();
    const [clientPort = 0, peerPort = 0] = await freePorts(2);
    const others = new Workshop();
    try {
      const flags = ['--discovery', url];
      const first = new RealEtcd(others, 'e1', [clientPort, peerPort], flags);
      await eventually('it has registered', 20_000, async () => {
        const { node } = (await (await fetch(url)).json()) as { node: { nodes?: unknown[] } };
        return node.nodes?.length === 1;
      });
      await first.process.stop();
      const again = new RealEtcd(others, 'e1', [clientPort, peerPort], flags);
      await again.process.waitFor(/member "e1" has previously registered with discovery/, 20_000);
    } finally {
      await others.clear();
    }
  });
});
