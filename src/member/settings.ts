import { defaults } from '../config.ts';
import { parsePairs } from '../lib/pairs.ts';

/**
 * The variables of a deployment that its members read, under etcd's own names. wrangler.toml
 * explains them.
 */
export interface MemberEnv {
  readonly ETCD_INITIAL_CLUSTER?: string;
  readonly ETCD_INITIAL_CLUSTER_TOKEN?: string;
  readonly ETCD_ADVERTISE_CLIENT_URLS?: string;
  readonly ETCD_HEARTBEAT_INTERVAL?: string;
  readonly ETCD_ELECTION_TIMEOUT?: string;
  readonly ETCD_SNAPSHOT_COUNT?: string;
  readonly ETCD_MAX_TXN_OPS?: string;
  readonly ETCD_MAX_REQUEST_BYTES?: string;
  readonly ETCD_QUOTA_BACKEND_BYTES?: string;
  readonly ETCD_LOG_LEVEL?: string;
  /**
   * Where the peers were when the cluster was made, if that differs from where they are now: ids
   * derive from it.
   */
  readonly EDGETCD_IDENTITY_CLUSTER?: string;
  readonly EDGETCD_QUIESCE_AFTER?: string;
  readonly PEER_SECRET?: string;
}

export interface Peer {
  readonly name: string;
  /** `do://name` in the same deployment, else where the peer's deployment is. */
  readonly url: string;
}

/** What one member is told when it starts. Times in milliseconds. */
export interface MemberSettings {
  readonly cluster: string;
  readonly name: string;
  readonly members: readonly Peer[];
  /** Names and URLs from which ids are derived. */
  readonly identity: readonly Peer[];
  readonly clusterToken: string;
  readonly clientUrls: readonly string[];
  readonly heartbeatIntervalMs: number;
  readonly electionTimeoutMs: number;
  readonly quiesceAfterMs: number;
  readonly snapshotCount: number;
  readonly snapshotCatchUpEntries: number;
  readonly txnOpsMax: number;
  readonly requestBytesMax: number;
  readonly quotaBackendBytes: number;
  readonly logLevel: LogLevel;
  readonly peerSecret: string;
}

/** etcd's bound. Longer timers than 24 days would ring at once. */
const ELECTION_TIMEOUT_MS_MAX = 50_000;

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The configuration is wrong: the member says so and does not start. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** @param objectName `<cluster>/<member>`, the name of the Durable Object. @throws SettingsError */
export function memberSettings(objectName: string, env: MemberEnv): MemberSettings {
  const number = (variable: keyof MemberEnv, fallback: number, least = 0) =>
    count(variable, env[variable], fallback, least);
  const slash = objectName.lastIndexOf('/');
  const cluster = objectName.slice(0, slash);
  const name = objectName.slice(slash + 1);
  const members = peersOf(
    'ETCD_INITIAL_CLUSTER',
    env.ETCD_INITIAL_CLUSTER || `${name}=do://${name}`,
  );
  const identity = env.EDGETCD_IDENTITY_CLUSTER
    ? peersOf('EDGETCD_IDENTITY_CLUSTER', env.EDGETCD_IDENTITY_CLUSTER)
    : members;
  if (!members.some((peer) => peer.name === name)) {
    throw new SettingsError(`ETCD_INITIAL_CLUSTER does not name ${name}, the member to start`);
  }
  const snapshotCount = number('ETCD_SNAPSHOT_COUNT', defaults.snapshotCount, 1);
  const settings = {
    cluster,
    name,
    members,
    identity,
    clusterToken: env.ETCD_INITIAL_CLUSTER_TOKEN || defaults.clusterToken,
    clientUrls: (env.ETCD_ADVERTISE_CLIENT_URLS ?? '').split(',').filter((url) => url !== ''),
    heartbeatIntervalMs: number('ETCD_HEARTBEAT_INTERVAL', defaults.heartbeatIntervalMs, 1),
    electionTimeoutMs: number('ETCD_ELECTION_TIMEOUT', defaults.electionTimeoutMs),
    quiesceAfterMs: number('EDGETCD_QUIESCE_AFTER', defaults.quiesceAfterMs),
    snapshotCount,
    // etcd keeps 5,000 entries behind the compaction point; less where snapshots are more frequent.
    snapshotCatchUpEntries: Math.min(defaults.snapshotCatchUpEntries, snapshotCount),
    txnOpsMax: number('ETCD_MAX_TXN_OPS', defaults.txnOpsMax, 1),
    requestBytesMax: number('ETCD_MAX_REQUEST_BYTES', defaults.requestBytesMax, 1),
    quotaBackendBytes: number('ETCD_QUOTA_BACKEND_BYTES', defaults.quotaBackendBytes),
    logLevel: logLevel(env.ETCD_LOG_LEVEL),
    peerSecret: env.PEER_SECRET ?? '',
  };
  check(settings);
  checkPeers(settings);
  return settings;
}

function check(settings: MemberSettings): void {
  const { heartbeatIntervalMs, electionTimeoutMs, requestBytesMax } = settings;
  if (electionTimeoutMs < 5 * heartbeatIntervalMs) {
    throw new SettingsError(
      `--election-timeout[${electionTimeoutMs}ms] should be at least as 5 times as --heartbeat-interval[${heartbeatIntervalMs}ms]`,
    );
  }
  if (electionTimeoutMs > ELECTION_TIMEOUT_MS_MAX) {
    throw new SettingsError(
      `--election-timeout[${electionTimeoutMs}ms] is too long, and should be set less than ${ELECTION_TIMEOUT_MS_MAX}ms`,
    );
  }
  if (requestBytesMax > defaults.requestBytesMax) {
    throw new SettingsError(
      `ETCD_MAX_REQUEST_BYTES is at most ${defaults.requestBytesMax}: a request must fit in a row of 2 MB`,
    );
  }
}

function checkPeers({ members, identity, peerSecret }: MemberSettings): void {
  for (const { name, url } of members) {
    if (url === `do://${name}` || /^https?:\/\/./.test(url)) continue;
    throw new SettingsError(
      `ETCD_INITIAL_CLUSTER: ${name}=${url} is neither ${name}=do://${name} nor an http(s) URL`,
    );
  }
  const without = members.filter(({ name }) => !identity.some((peer) => peer.name === name));
  if (without.length > 0) {
    const names = without.map(({ name }) => name).join(', ');
    throw new SettingsError(`EDGETCD_IDENTITY_CLUSTER does not name ${names}`);
  }
  const remote = members.some(({ url }) => !url.startsWith('do://'));
  if (remote && members.length > 1 && peerSecret === '') {
    throw new SettingsError('PEER_SECRET is not set: members reached by URL need a shared secret');
  }
}

/** Ids derive from URLs: two members of one URL would be one voter that is counted twice. */
function peersOf(variable: string, text: string): Peer[] {
  const pairs = parsePairs(text);
  if (pairs === null) throw new SettingsError(`${variable} is not a list of name=url: "${text}"`);
  const owners = new Map<string, string>();
  for (const [name, url] of pairs) {
    const owner = owners.get(url);
    if (owner !== undefined) {
      throw new SettingsError(`${variable}: ${owner} and ${name} have the same URL, ${url}`);
    }
    owners.set(url, name);
  }
  return pairs.map(([name, url]) => ({ name, url }));
}

function count(
  variable: string,
  text: string | undefined,
  fallback: number,
  least: number,
): number {
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new SettingsError(`${variable} is not a number: "${text}"`);
  }
  if (value < least) throw new SettingsError(`${variable} must be at least ${least}`);
  return value;
}

function logLevel(text: string | undefined): LogLevel {
  const level = LOG_LEVELS.find((known) => known === (text || 'info'));
  if (!level) throw new SettingsError(`ETCD_LOG_LEVEL is not one of ${LOG_LEVELS.join(', ')}`);
  return level;
}
