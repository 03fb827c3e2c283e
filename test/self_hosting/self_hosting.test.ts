import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { readMemberCommandLine } from '../../src/local/member-command-line.ts';
import { readProxyOptions } from '../../src/local/proxy/options.ts';
import { memberSettings } from '../../src/member/settings.ts';
import { readCompose } from './compose_file.ts';
import { environmentOf, readEnvironment, readUnit, valuesOf } from './unit_file.ts';

/** The files for self-hosting are what they should be; test/e2e runs what they say. */

const root = new URL('../..', import.meta.url).pathname;
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts;

/** What a member makes of its environment: options, and what it has to say about them. */
function memberOf(environment: Record<string, string>) {
  const options = must(readMemberCommandLine([], environment), 'not help');
  return { options, settings: memberSettings(`edgetcd/${options.name}`, options.variables) };
}

/** The members' own entries in the list of all, as name=url. */
function own(environment: Readonly<Record<string, string>>): string {
  return `${environment['ETCD_NAME']}=${environment['ETCD_INITIAL_ADVERTISE_PEER_URLS']}`;
}

describe('docker-compose.yml', () => {
  const text = read('docker-compose.yml');
  const file = readCompose(text, { PEER_SECRET: 'secret' });
  const members = Object.entries(file.services).filter(([, { profiles }]) => !profiles);

  test('wants a secret of the members', () => {
    expect(() => readCompose(text, {})).toThrow('PEER_SECRET: set PEER_SECRET');
  });

  test('has nothing that Compose does not know', () => {
    expect(Object.keys(file).sort()).toEqual(['name', 'services', 'volumes']);
    const known = [
      ...['build', 'command', 'environment', 'healthcheck', 'image', 'init', 'ports', 'profiles'],
      ...['restart', 'stop_grace_period', 'volumes'],
    ];
    for (const service of Object.values(file.services)) {
      expect(known).toEqual(expect.arrayContaining(Object.keys(service)));
      const script = /^npm run ([\w:]+)$/.exec(service.command)?.[1];
      expect(scripts).toHaveProperty(script ?? 'no script');
      // YAML takes what has a colon or looks like a number for something else.
      const texts = [...Object.values(service.environment), ...service.healthcheck.test];
      for (const text of texts) expect(text).toBeTypeOf('string');
    }
  });

  test.each(members)('%s has settings that are all heard, and its own data', (name, service) => {
    const { options, settings } = memberOf({ ...service.environment });
    expect(settings.notes).toEqual([]);
    expect(options.name).toBe(name);
    expect(service.environment['ETCD_INITIAL_CLUSTER']?.split(',')).toContain(
      own(service.environment),
    );
    expect(service.volumes).toEqual([`${name}:${options.dataDir}`]);
    expect(file.volumes).toHaveProperty(name);
  });

  test('has three members that agree, at different ports of loopback', () => {
    const lists = members.map(([, { environment }]) => environment['ETCD_INITIAL_CLUSTER']);
    expect(new Set(lists).size).toBe(1);
    expect(lists[0]?.split(',')).toEqual(members.map(([, { environment }]) => own(environment)));
    expect(members).toHaveLength(3);
    const ports = Object.values(file.services).flatMap((service) => service.ports);
    expect(ports.every((port) => /^127\.0\.0\.1:\d+:2379$/.test(port))).toBe(true);
    expect(new Set(ports).size).toBe(4);
  });

  test('has a proxy before them', () => {
    const { environment } = must(file.services['proxy'], 'there is a proxy');
    const clients = members.map(([, member]) => member.environment['ETCD_ADVERTISE_CLIENT_URLS']);
    expect(readProxyOptions([], environment)?.start).toEqual({ kind: 'clients', urls: clients });
  });
});

describe('the Dockerfile', () => {
  const lines = read('Dockerfile').replaceAll('\\\n', ' ').split('\n');
  const instructions = lines
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => /^([A-Z]+)\s+(.+)$/.exec(line)?.slice(1) ?? [line, '']);
  const of = (name: string) =>
    instructions.flatMap(([known, rest = '']) => (known === name ? [rest] : []));

  test('has instructions only', () => {
    const known = /^(FROM|WORKDIR|COPY|RUN|ENV|USER|VOLUME|EXPOSE|CMD)$/;
    expect(instructions.filter(([name = '']) => !known.test(name))).toEqual([]);
    expect(instructions[0]?.[0]).toBe('FROM');
  });

  test('is built on an official image that is new enough, and runs as nobody in particular', () => {
    const major = Number(/^node:(\d+)-/.exec(of('FROM')[0] ?? '')?.[1]);
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
    expect(major).toBeGreaterThanOrEqual(Number(/\d+/.exec(engines.node)?.[0]));
    expect(of('USER')).toEqual(['node']);
    expect(JSON.parse(of('CMD')[0] ?? '')).toEqual(['npm', 'run', 'member']);
  });

  test('listens where it says', () => {
    const variables = (of('ENV')[0] ?? '')
      .trim()
      .split(/\s+/)
      .map((each) => each.split('='));
    const environment = Object.fromEntries(variables) as Record<string, string>;
    const advertised = { ETCD_ADVERTISE_CLIENT_URLS: 'http://host:2379' };
    const { options } = memberOf({ ...environment, ...advertised });
    expect(of('VOLUME')).toEqual([options.dataDir]);
    const listeners = [...options.clientListeners, ...options.peerListeners];
    expect(of('EXPOSE')).toEqual([listeners.map(({ port }) => port).join(' ')]);
  });
});

describe('the unit of systemd', () => {
  const path = 'contrib/systemd/edgetcd.service';
  const unit = readUnit(read(path));
  const service = (directive: string) => valuesOf(unit, 'Service', directive);

  test('has the sections of a service', () => {
    expect([...unit.keys()]).toEqual(['Unit', 'Service', 'Install']);
    const script = /^\/usr\/bin\/npm run (\w+)$/.exec(service('ExecStart')[0] ?? '')?.[1];
    expect(scripts).toHaveProperty(script ?? 'no script');
    const twice = [...(unit.get('Service') ?? [])].map(([name]) => name);
    expect(twice.filter((name, i) => twice.indexOf(name) !== i)).toEqual(['Environment']);
  });

  test('gives a member settings that are all heard, and the directory for its data', () => {
    const example = readEnvironment(read('contrib/systemd/edgetcd.env'));
    expect(service('EnvironmentFile')).toEqual(['/etc/edgetcd/edgetcd.env']);
    const environment = { ...environmentOf(unit, 'tmp'), ...example };
    expect(() => memberOf(environment)).toThrow('PEER_SECRET is not set');
    const { options, settings } = memberOf({ ...environment, PEER_SECRET: 'secret' });
    expect(settings.notes).toEqual([]);
    expect(options.dataDir).toBe(`/var/lib/${service('StateDirectory')[0]}`);
    expect(example['ETCD_INITIAL_CLUSTER']?.split(',')).toContain(own(example));
  });

  const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;
  if (!hasSystemd) console.log('there is no systemd here to verify its unit');

  test.skipIf(!hasSystemd)('is taken by systemd itself', () => {
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', join(root, path)]);
    expect([status, stderr.toString()]).toEqual([0, '']);
  });
});

describe('the readers of these files', () => {
  test('complain as systemd does', () => {
    expect(() => readUnit('A=b')).toThrow('outside of all sections');
    expect(() => readUnit('[S]\nnonsense')).toThrow('no directive: nonsense');
    expect(() => readUnit('[S]\n[S]')).toThrow('twice');
    expect(() => readEnvironment('export A=b')).toThrow('no assignment');
  });

  test('put variables where they belong', () => {
    const text = `services:\n  a: { x: "\${A} \${B:-b} $$C \${D:-}" }\n`;
    const { services } = readCompose(text, { A: 'a' });
    expect(services['a']).toEqual({ x: 'a b $C ' });
    expect(() => readCompose('a: b\na: c', {})).toThrow();
  });
});
