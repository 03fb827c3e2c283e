import { resolve } from 'node:path';
import { clusterName, logLevel } from './command-line.ts';
import { messageOf, UsageError } from './error.ts';
import { type Environment, flagLines, readFlags } from './flags.ts';
import { hostInUrl, isLoopback, isOnAll, type Listener, readListenUrls } from './listen_url.ts';
import { MEMBER_FLAGS } from './member_flags.ts';
import type { LogLevel } from './output.ts';

/** A member that is started by itself, as etcd is: nobody here knows the others. */
export interface MemberOptions {
  readonly name: string;
  readonly dataDir: string;
  readonly clientListeners: readonly Listener[];
  readonly peerListeners: readonly Listener[];
  /** What the member is told: its environment, and what flags say. */
  readonly variables: Readonly<Record<string, string>>;
  readonly logLevel: LogLevel;
  readonly restart: boolean;
  /** Clients' addresses speak gRPC, too. */
  readonly grpc: boolean;
}

const SWITCHES = ['no-grpc', 'no-restart'];
const OURS = /^(ETCD|EDGETCD)_|^(PEER_SECRET|ALLOW_NONE_AUTHENTICATION)$/;
/** What they say concerns the process, not the member in it. */
const OF_PROCESS = ['ETCD_DATA_DIR', 'ETCD_LISTEN_CLIENT_URLS', 'ETCD_LISTEN_PEER_URLS'];

/**
 * Reads flags and environment, which say the same by different names.
 * @returns null when help was asked for: {@link memberHelp} is it
 * @throws UsageError
 */
export function readMemberCommandLine(
  argv: readonly string[],
  environment: Environment,
): MemberOptions | null {
  try {
    const { variables, switches } = readFlags(argv, environment, MEMBER_FLAGS, SWITCHES);
    if (switches.has('help')) return null;
    return {
      ...optionsOf({ ...inherited(environment), ...variables }),
      restart: !switches.has('no-restart'),
      grpc: !switches.has('no-grpc'),
    };
  } catch (error) {
    throw new UsageError(`${messageOf(error)}\nnpm run member -- --help lists the flags`);
  }
}

function inherited(environment: Environment): Record<string, string> {
  const ours = Object.entries(environment).filter(
    (entry): entry is [string, string] => OURS.test(entry[0]) && Boolean(entry[1]),
  );
  return Object.fromEntries(ours);
}

function optionsOf(variables: Record<string, string>): Omit<MemberOptions, 'restart' | 'grpc'> {
  const name = clusterName(variables['ETCD_NAME'] ?? 'default');
  const clientUrls = variables['ETCD_LISTEN_CLIENT_URLS'] ?? 'http://localhost:2379';
  const peerUrls = variables['ETCD_LISTEN_PEER_URLS'] ?? 'http://localhost:2380';
  const clientListeners = readListenUrls(clientUrls, '--listen-client-urls');
  const peerListeners = readListenUrls(peerUrls, '--listen-peer-urls');
  const level = logLevel(variables['ETCD_LOG_LEVEL'] ?? 'info');
  const told: Record<string, string> = {
    ETCD_INITIAL_ADVERTISE_PEER_URLS: 'http://localhost:2380',
    ETCD_ADVERTISE_CLIENT_URLS: advertised(clientListeners, variables),
    // Whoever can connect already runs on this machine, if nobody else can.
    ...([...clientListeners, ...peerListeners].every(({ host }) => isLoopback(host))
      ? { ALLOW_NONE_AUTHENTICATION: 'yes' }
      : {}),
    ...variables,
    ETCD_NAME: name,
    ETCD_LOG_LEVEL: level,
  };
  for (const variable of OF_PROCESS) delete told[variable];
  return {
    name,
    dataDir: resolve(variables['ETCD_DATA_DIR'] ?? `.edgetcd-${name}`),
    clientListeners,
    peerListeners,
    variables: told,
    logLevel: level,
  };
}

/** Where the member listens, unless that is no address which anybody could use. */
function advertised(
  listeners: readonly Listener[],
  { ETCD_ADVERTISE_CLIENT_URLS: said }: Readonly<Record<string, string>>,
): string {
  if (said !== undefined) return said;
  if (listeners.some(({ host }) => isOnAll(host))) {
    throw new UsageError(
      '--advertise-client-urls is required when --listen-client-urls is set explicitly',
    );
  }
  return listeners.map(({ host, port }) => `http://${hostInUrl(host)}:${port}`).join(',');
}

/** What `npm run member -- --help` prints. */
export function memberHelp(): string {
  return [
    'Starts one member by itself, as etcd is started; the others are started elsewhere.',
    '',
    'Usage:',
    '  npm run member -- [flags]',
    '',
    ...flagLines(MEMBER_FLAGS, [
      ['--no-grpc', 'HTTP alone for clients, which the member takes itself'],
      ['--no-restart', 'Leave it dead when its process dies'],
    ]),
    'A flag --a-b is also the variable ETCD_A_B, but not both at once; every other variable of',
    'docs/CONFIGURATION.md is obeyed as well. PEER_SECRET is what the members of a cluster show each',
    'other. Where the member listens on other addresses than loopback nobody is served before',
    'authentication is on, or with ALLOW_NONE_AUTHENTICATION=yes. DNS is asked as this machine asks',
    'it, or at EDGETCD_DNS_SERVERS=10.0.0.53,…, or at EDGETCD_DNS_OVER_HTTPS=https://….',
    '',
    'Examples:',
    '  npm run member',
    '  PEER_SECRET=… npm run member -- --name m1 --initial-advertise-peer-urls http://10.0.0.1:2380 \\',
    '    --listen-peer-urls http://10.0.0.1:2380 --listen-client-urls http://10.0.0.1:2379 \\',
    '    --initial-cluster m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,m3=http://10.0.0.3:2380',
  ].join('\n');
}
