import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { memberUrl } from '../../src/local/bindings.ts';
import { readCompose } from '../self_hosting/compose_file.ts';
import { environmentOf, readEnvironment, readUnit, valuesOf } from '../self_hosting/unit_file.ts';
import { call, changeMembers, get, put } from './client.ts';
import { eventually, Workshop } from './cluster.ts';
import { type Environment, Host } from './host.ts';
import { freePorts } from './real_etcd.ts';

/**
 * What docker-compose.yml and the unit of systemd say, run without either: the same commands with
 * the same environments, at addresses and in directories of this machine.
 */

const root = new URL('../..', import.meta.url).pathname;
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const PORTS = 27_340;
const SECRET = 'a long random text';

/** An address or a directory of the files, and what it is here. */
type Place = readonly [there: string, here: string];

function placed(text: string, places: readonly Place[]): string {
  return places.reduce((now, [there, here]) => now.replaceAll(there, here), text);
}

function allPlaced(environment: Environment, places: readonly Place[]): Environment {
  const entries = Object.entries(environment);
  return Object.fromEntries(entries.map(([name, value]) => [name, placed(value, places)]));
}

const workshop = new Workshop();
const hosts: Host[] = [];
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.kill()));
  await workshop.clear();
});

function host(command: string, environment: Environment, url: string): Host {
  const made = new Host(command, environment, url, workshop.dataDir());
  hosts.push(made);
  return made;
}

/** Put, get, one killed, all stopped and started again: whatever was written is there. */
async function live(members: readonly Host[]): Promise<void> {
  for (const member of members) member.start();
  await Promise.all(members.map((member) => member.waitFor(/is ready/, 60_000)));
  const [first, second, third] = members.map((member) => member.url);
  await put(must(first, 'm1'), 'a', '1');
  expect(await get(must(third, 'm3'), 'a')).toBe('1');

  await must(members[0], 'm1').kill();
  await eventually('the others elect a leader', 20_000, async () => {
    return put(must(second, 'm2'), 'b', '2', 3_000).then(
      () => true,
      () => false,
    );
  });
  members[0]?.start();
  await members[0]?.waitFor(/is ready/, 60_000);
  expect(await get(must(first, 'm1'), 'b')).toBe('2');

  for (const code of await Promise.all(members.map((member) => member.stop()))) {
    expect(code).toBe(0);
  }
  for (const member of members) member.start();
  await Promise.all(members.map((member) => member.waitFor(/is ready/, 60_000)));
  for (const { url } of members)
    expect([await get(url, 'a'), await get(url, 'b')]).toEqual(['1', '2']);
}

describe('docker-compose.yml', () => {
  test('describes three members that serve, survive, come back, and a proxy', async () => {
    const file = readCompose(read('docker-compose.yml'), { PEER_SECRET: SECRET });
    const names = Object.keys(file.services);
    const ports = await freePorts(2 * names.length, PORTS);
    const clientPort = (name: string): number => ports[2 * names.indexOf(name)] ?? 0;
    const network = names.flatMap((name): Place[] => [
      [`//${name}:2379`, `//127.0.0.1:${clientPort(name)}`],
      [`//${name}:2380`, `//127.0.0.1:${ports[2 * names.indexOf(name) + 1]}`],
    ]);
    /** Inside of the container. */
    const inside = (name: string): Place[] => [
      ['//0.0.0.0:2379', `//127.0.0.1:${clientPort(name)}`],
      ['//0.0.0.0:2380', `//127.0.0.1:${ports[2 * names.indexOf(name) + 1]}`],
      ['//127.0.0.1:2379', `//127.0.0.1:${clientPort(name)}`],
      ['/var/lib/edgetcd', workshop.dataDir()],
    ];
    const all = names.map((name) => {
      const { command, environment, healthcheck } = must(file.services[name], name);
      const places = [...network, ...inside(name)];
      const made = host(command, allPlaced(environment, places), memberUrl(clientPort(name)));
      return { name, made, check: healthcheck.test.map((part) => placed(part, places)) };
    });
    const proxy = must(all.find(({ name }) => name === 'proxy')?.made, 'a proxy');
    await live(all.flatMap(({ made }) => (made === proxy ? [] : [made])));

    proxy.start();
    await proxy.waitFor(/proxy is ready/, 30_000);
    expect(await get(proxy.url, 'a')).toBe('1');
    for (const { made, check } of all) {
      expect(check[0]).toBe('CMD');
      expect(await made.run(check.slice(1))).toBe(0);
    }
    await proxy.kill();
    expect(await proxy.run(must(all.at(-1), 'the last').check.slice(1))).toBe(1);
  });
});

describe('the unit of systemd', () => {
  const unit = readUnit(read('contrib/systemd/edgetcd.service'));
  const example = readEnvironment(read('contrib/systemd/edgetcd.env'));
  const [command = ''] = valuesOf(unit, 'Service', 'ExecStart');
  const machines = [1, 2, 3].map((i) => `10.0.0.${i}`);

  /** The environment of a member, as the guide has it made of the first machine's file. */
  function environmentAt(machine: string, i: number, places: readonly Place[]): Environment {
    const own = Object.entries(example).map(([name, value]) => {
      if (name === 'ETCD_NAME') return [name, `m${i + 1}`];
      return [
        name,
        name === 'ETCD_INITIAL_CLUSTER' ? value : value.replaceAll('10.0.0.1', machine),
      ];
    });
    const environment: Environment = {
      ...environmentOf(unit, workshop.dataDir()),
      ...Object.fromEntries(own),
      PEER_SECRET: SECRET,
      ALLOW_NONE_AUTHENTICATION: 'yes',
    };
    return allPlaced(environment, [...places, ['/var/lib/edgetcd', workshop.dataDir()]]);
  }

  test('describes a member of three machines, which serve, survive and are replaced', async () => {
    const ports = await freePorts(6, PORTS);
    const network = machines.flatMap((machine, i): Place[] => [
      [`//${machine}:2379`, `//127.0.0.1:${ports[2 * i]}`],
      [`//${machine}:2380`, `//127.0.0.1:${ports[2 * i + 1]}`],
    ]);
    const environments = machines.map((machine, i) => environmentAt(machine, i, network));
    const members = environments.map((environment, i) =>
      host(command, environment, memberUrl(must(ports[2 * i], 'a port'))),
    );
    await live(members);

    // The third machine is lost with its disk; another one gets its name and addresses.
    const [first, , third] = members;
    await must(third, 'm3').kill();
    const at = must(first, 'm1').url;
    const peerUrl = memberUrl(must(ports[5], 'a port'));
    await replaceMember(at, peerUrl);
    const place = { ...must(environments[2], 'm3'), ETCD_DATA_DIR: workshop.dataDir() };
    const { url } = must(third, 'm3');
    const replaced = host(command, { ...place, ETCD_INITIAL_CLUSTER_STATE: 'existing' }, url);
    replaced.start();
    await replaced.waitFor(/is ready/, 60_000);
    await put(url, 'c', '3');
    expect([await get(url, 'b'), await get(at, 'c')]).toEqual(['2', '3']);

    // From then on it has data, and how it began says nothing.
    expect(await replaced.stop()).toBe(0);
    const again = host(command, place, url);
    again.start();
    await again.waitFor(/is ready/, 60_000);
    expect(await get(url, 'c')).toBe('3');
  });

  /** Removes the member that has a peer URL, and adds one that has the same. */
  async function replaceMember(at: string, peerUrl: string): Promise<void> {
    const { members } = await call(at, '/v3/cluster/member/list', {});
    const listed = members as { ID: string; peerURLs: string[] }[];
    const { ID } = must(
      listed.find(({ peerURLs }) => peerURLs.includes(peerUrl)),
      'it is a member',
    );
    await changeMembers(at, 'remove', { ID });
    await changeMembers(at, 'add', { peerURLs: [peerUrl] });
  }
});
