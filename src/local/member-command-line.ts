import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { clusterName, logLevel } from './command-line.ts';
import { messageOf, UsageError } from './error.ts';
import { hostInUrl, isLoopback, type Listener, readListenUrls } from './listen_url.ts';
import { type FlagSection, MEMBER_FLAGS, type MemberFlag, variableOf } from './member_flags.ts';
import type { LogLevel } from './output.ts';

type Environment = Readonly<Record<string, string | undefined>>;

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
}

const flags: readonly MemberFlag[] = MEMBER_FLAGS.flatMap(([, below]) => below);
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
    const { values } = parseArgs({
      args: [...argv],
      options: parsedFlags(),
      allowPositionals: false,
    });
    if (values['help'] === true) return null;
    return optionsOf(merged(values, environment), values['no-restart'] !== true);
  } catch (error) {
    throw new UsageError(`${messageOf(error)}\nnpm run member -- --help lists the flags`);
  }
}

function parsedFlags() {
  const texts = flags.map(({ flag }) => [flag, { type: 'string', multiple: true }] as const);
  return {
    ...Object.fromEntries(texts),
    help: { type: 'boolean', short: 'h' },
    'no-restart': { type: 'boolean' },
  } as const;
}

/** As in etcd, a variable and its flag must not both be there: one would be ignored. */
function merged(
  values: Readonly<Record<string, unknown>>,
  environment: Environment,
): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (OURS.test(name) && value) variables[name] = value;
  }
  for (const { flag } of flags) {
    const given = values[flag];
    if (!Array.isArray(given)) continue;
    if (given.length > 1) throw new UsageError(`--${flag} is given more than once`);
    const variable = variableOf(flag);
    if (variables[variable] !== undefined) {
      throw new UsageError(
        `conflicting environment variable "${variable}" is shadowed by corresponding command-line ` +
          'flag (either unset environment variable or disable flag)',
      );
    }
    const text = String(given[0]);
    if (text === '') throw new UsageError(`--${flag} needs a value`);
    variables[variable] = text;
  }
  return variables;
}

function optionsOf(variables: Record<string, string>, restart: boolean): MemberOptions {
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
    restart,
  };
}

/** Where the member listens, unless that is no address which anybody could use. */
function advertised(
  listeners: readonly Listener[],
  { ETCD_ADVERTISE_CLIENT_URLS: said }: Readonly<Record<string, string>>,
): string {
  if (said !== undefined) return said;
  if (listeners.some(({ host }) => host === '0.0.0.0' || host === '::')) {
    throw new UsageError(
      '--advertise-client-urls is required when --listen-client-urls is set explicitly',
    );
  }
  return listeners.map(({ host, port }) => `http://${hostInUrl(host)}:${port}`).join(',');
}

/** What `npm run member -- --help` prints. */
export function memberHelp(): string {
  const width = Math.max(...flags.map((each) => shownFlag(each).length));
  const section = ([heading, below]: FlagSection): string[] => [
    `${heading}:`,
    ...below.map((each) => {
      const fallback = each.fallback === undefined ? '' : ` (default: ${each.fallback})`;
      return `  ${shownFlag(each).padEnd(width)}  ${each.meaning}${fallback}`;
    }),
    '',
  ];
  return [
    'Starts one member by itself, as etcd is started; the others are started elsewhere.',
    '',
    'Usage:',
    '  npm run member -- [flags]',
    '',
    ...MEMBER_FLAGS.flatMap(section),
    'Process:',
    `  ${'--no-restart'.padEnd(width)}  Leave it dead when its process dies`,
    `  ${'-h, --help'.padEnd(width)}  This text`,
    '',
    'A flag --a-b is also the variable ETCD_A_B, but not both at once; every other variable of',
    'docs/CONFIGURATION.md is obeyed as well. PEER_SECRET is what the members of a cluster show each',
    'other. Where the member listens on other addresses than loopback nobody is served before',
    'authentication is on, or with ALLOW_NONE_AUTHENTICATION=yes.',
    '',
    'Examples:',
    '  npm run member',
    '  PEER_SECRET=… npm run member -- --name m1 --initial-advertise-peer-urls http://10.0.0.1:2380 \\',
    '    --listen-peer-urls http://10.0.0.1:2380 --listen-client-urls http://10.0.0.1:2379 \\',
    '    --initial-cluster m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,m3=http://10.0.0.3:2380',
  ].join('\n');
}

function shownFlag({ flag, value }: MemberFlag): string {
  return `--${flag} ${value}`;
}
