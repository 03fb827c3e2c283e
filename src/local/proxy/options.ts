import { readPairs } from '../../lib/pairs.ts';
import { oneOf } from '../command-line.ts';
import { messageOf, UsageError } from '../error.ts';
import { type Environment, type FlagSection, flagLines, readFlags, variableOf } from '../flags.ts';
import { type Listener, readListenUrls } from '../listen_url.ts';
import type { Timeouts } from './attempt.ts';
import type { Start } from './finder.ts';
import { originOf } from './member_list.ts';

export interface ProxyOptions {
  readonly isReadonly: boolean;
  readonly listen: readonly Listener[];
  readonly start: Start;
  /** EDGETCD_DNS_SERVERS; null: the system's. */
  readonly dnsServers: string | null;
  readonly failureWaitMs: number;
  readonly refreshIntervalMs: number;
  readonly timeouts: Timeouts;
}

/** etcd's flags of its proxy, with etcd's defaults; --endpoints is `etcd gateway`'s. */
const FLAGS: readonly FlagSection[] = [
  [
    'Proxy',
    [
      { flag: 'proxy', value: '<on|readonly>', meaning: 'Whether changes pass', fallback: 'on' },
      {
        flag: 'listen-client-urls',
        value: '<url,…>',
        meaning: 'Where it listens for clients',
        fallback: 'http://localhost:2379',
      },
    ],
  ],
  [
    'Where the cluster is (one of the three)',
    [
      {
        flag: 'endpoints',
        value: '<url,…>',
        meaning: 'Client URLs of members, or of a deployment',
      },
      {
        flag: 'initial-cluster',
        value: '<name=url,…>',
        meaning: 'Peer URLs of members, as members are told them',
      },
      {
        flag: 'discovery-srv',
        value: '<domain>',
        meaning: 'The domain whose DNS SRV records name the members',
      },
      {
        flag: 'discovery-srv-name',
        value: '<suffix>',
        meaning: 'Look for _etcd-server-<suffix> instead',
      },
    ],
  ],
  [
    'Times, in milliseconds',
    [
      {
        flag: 'proxy-failure-wait',
        value: '<ms>',
        meaning: 'For which a member that failed is left out',
        fallback: '5000',
      },
      {
        flag: 'proxy-refresh-interval',
        value: '<ms>',
        meaning: 'Between two looks for members',
        fallback: '30000',
      },
      {
        flag: 'proxy-dial-timeout',
        value: '<ms>',
        meaning: 'For a connection to a member; 0: none',
        fallback: '1000',
      },
      {
        flag: 'proxy-write-timeout',
        value: '<ms>',
        meaning: 'For a member to take a request; 0: none',
        fallback: '5000',
      },
      {
        flag: 'proxy-read-timeout',
        value: '<ms>',
        meaning: 'Of silence, streams included; 0: none',
        fallback: '0',
      },
    ],
  ],
];

const DEFAULTS: Readonly<Record<string, string>> = Object.fromEntries(
  FLAGS.flatMap(([, flags]) => flags.map(({ flag, fallback = '' }) => [flag, fallback])),
);
const timeMsMax = 86_400_000;

/** @returns null when help was asked for: {@link proxyHelp} is it. @throws UsageError */
export function readProxyOptions(
  argv: readonly string[],
  environment: Environment,
): ProxyOptions | null {
  try {
    const { variables, switches } = readFlags(argv, environment, FLAGS);
    if (switches.has('help')) return null;
    const said = (flag: string) => {
      const variable = variableOf(flag);
      return variables[variable] ?? (environment[variable] || DEFAULTS[flag]) ?? '';
    };
    return optionsOf(said, environment['EDGETCD_DNS_SERVERS'] || null);
  } catch (error) {
    throw new UsageError(`${messageOf(error)}\nnpm run proxy -- --help lists the flags`);
  }
}

function optionsOf(get: (flag: string) => string, dnsServers: string | null): ProxyOptions {
  const time = (flag: string, leastMs: number): number => {
    const text = get(flag);
    const ms = Number(text);
    if (/^\d+$/.test(text) && ms >= leastMs && ms <= timeMsMax) return ms;
    throw new UsageError(
      `--${flag} must be a number of milliseconds from ${leastMs} to ${timeMsMax}, not "${text}"`,
    );
  };
  return {
    isReadonly: oneOf(get('proxy'), ['on', 'readonly'], '--proxy') === 'readonly',
    listen: readListenUrls(get('listen-client-urls'), '--listen-client-urls'),
    start: startOf(get),
    dnsServers,
    failureWaitMs: time('proxy-failure-wait', 1),
    refreshIntervalMs: time('proxy-refresh-interval', 1),
    timeouts: {
      dialMs: time('proxy-dial-timeout', 0),
      writeMs: time('proxy-write-timeout', 0),
      readMs: time('proxy-read-timeout', 0),
    },
  };
}

function startOf(get: (flag: string) => string): Start {
  const ways = ['endpoints', 'initial-cluster', 'discovery-srv'];
  const [way, another] = ways.filter((flag) => get(flag) !== '');
  if (way === undefined) throw new UsageError(`one of --${ways.join(', --')} is missing`);
  if (another !== undefined) throw new UsageError(`--${way} and --${another} exclude each other`);
  const given = get(way);
  if (way === 'discovery-srv') {
    return { kind: 'srv', name: { domain: given, suffix: get('discovery-srv-name') } };
  }
  if (way === 'endpoints') {
    return { kind: 'clients', urls: given.split(',').map((url) => origin(url, '--endpoints')) };
  }
  const pairs = readPairs(given);
  if (typeof pairs === 'string') throw new UsageError(`--initial-cluster: ${pairs}`);
  return { kind: 'peers', urls: pairs.map(([, url]) => origin(url, '--initial-cluster')) };
}

/** etcdctl takes endpoints without a scheme. */
function origin(text: string, flag: string): string {
  const trimmed = text.trim();
  const url = originOf(trimmed.includes('://') ? trimmed : `http://${trimmed}`);
  if (url !== null) return url;
  throw new UsageError(`${flag} must have URLs like http://127.0.0.1:2379, not "${text}"`);
}

/** What `npm run proxy -- --help` prints. */
export function proxyHelp(): string {
  return [
    'Passes requests on to the members of a cluster, which it finds by itself.',
    '',
    'Usage:',
    '  npm run proxy -- [flags]',
    '',
    ...flagLines(FLAGS),
    'A flag --a-b is also the variable ETCD_A_B, but not both at once. NODE_EXTRA_CA_CERTS names',
    'certificates of a CA of your own, for members behind TLS.',
    '',
    'Examples:',
    '  npm run proxy -- --endpoints http://10.0.0.1:2379,http://10.0.0.2:2379',
    '  npm run proxy -- --endpoints https://edgetcd.example.workers.dev',
    '  npm run proxy -- --proxy readonly --listen-client-urls http://127.0.0.1:8080 \\',
    '    --initial-cluster m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,m3=http://10.0.0.3:2380',
  ].join('\n');
}
