import { defaults } from '../config.ts';
import { parsePairs } from '../lib/pairs.ts';

/** The variables of a deployment that its members read, under etcd's own names. wrangler.toml explains them. */
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
  /** Where the peers were when the cluster was made, if that differs from where they are now: ids derive from it. */
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

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The configuration is wrong: the member says so and does not start. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** @param objectName `<cluster>/<member>`, the name of the Durable Object. @throws SettingsError */
export function memberSettings(objectName: string, env: MemberEnv): MemberSettings {
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
  const snapshotCount = count(
    'ETCD_SNAPSHOT_COUNT',
    env.ETCD_SNAPSHOT_COUNT,
    defaults.snapshotCount,
  );
  const settings = {
    cluster,
    name,
    members,
    identity,
    clusterToken: env.ETCD_INITIAL_CLUSTER_TOKEN || defaults.clusterToken,
    clientUrls: (env.ETCD_ADVERTISE_CLIENT_URLS ?? '').split(',').filter((url) => url !== ''),
    heartbeatIntervalMs: count(
      'ETCD_HEARTBEAT_INTERVAL',
      env.ETCD_HEARTBEAT_INTERVAL,
      defaults.heartbeatIntervalMs,
    ),
    electionTimeoutMs: count(
      'ETCD_ELECTION_TIMEOUT',
      env.ETCD_ELECTION_TIMEOUT,
      defaults.electionTimeoutMs,
    ),
    quiesceAfterMs: count(
      'EDGETCD_QUIESCE_AFTER',
      env.EDGETCD_QUIESCE_AFTER,
      defaults.quiesceAfterMs,
    ),
    snapshotCount,
    // etcd keeps 5,000 entries behind the compaction point; less where snapshots are more frequent.
    snapshotCatchUpEntries: Math.min(defaults.snapshotCatchUpEntries, snapshotCount),
    txnOpsMax: count('ETCD_MAX_TXN_OPS', env.ETCD_MAX_TXN_OPS, defaults.txnOpsMax),
    requestBytesMax: count(
      'ETCD_MAX_REQUEST_BYTES',
      env.ETCD_MAX_REQUEST_BYTES,
      defaults.requestBytesMax,
    ),
    quotaBackendBytes: count(
      'ETCD_QUOTA_BACKEND_BYTES',
      env.ETCD_QUOTA_BACKEND_BYTES,
      defaults.quotaBackendBytes,
    ),
    logLevel: logLevel(env.ETCD_LOG_LEVEL),
    peerSecret: env.PEER_SECRET ?? '',
  };
  check(settings);
  return settings;
}

function check(settings: MemberSettings): void {
  const { heartbeatIntervalMs, electionTimeoutMs, requestBytesMax, snapshotCount } = settings;
  if (electionTimeoutMs < 5 * heartbeatIntervalMs) {
    throw new SettingsError(
      `--election-timeout[${electionTimeoutMs}ms] should be at least as 5 times as --heartbeat-interval[${heartbeatIntervalMs}ms]`,
    );
  }
  if (snapshotCount < 1) throw new SettingsError('ETCD_SNAPSHOT_COUNT must be at least 1');
  if (requestBytesMax > defaults.requestBytesMax) {
    throw new SettingsError(
      `ETCD_MAX_REQUEST_BYTES is at most ${defaults.requestBytesMax}: a request must fit in a row of 2 MB`,
    );
  }
  const remote = settings.members.some(({ url }) => !url.startsWith('do://'));
  if (remote && settings.members.length > 1 && settings.peerSecret === '') {
    throw new SettingsError('PEER_SECRET is not set: members reached by URL need a shared secret');
  }
}

function peersOf(variable: string, text: string): Peer[] {
  const pairs = parsePairs(text);
  if (pairs === null) throw new SettingsError(`${variable} is not a list of name=url: "${text}"`);
  return pairs.map(([name, url]) => ({ name, url }));
}

function count(variable: string, text: string | undefined, fallback: number): number {
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new SettingsError(`${variable} is not a number: "${text}"`);
  }
  return value;
}

function logLevel(text: string | undefined): LogLevel {
  const level = LOG_LEVELS.find((known) => known === (text || 'info'));
  if (!level) throw new SettingsError(`ETCD_LOG_LEVEL is not one of ${LOG_LEVELS.join(', ')}`);
  return level;
}
