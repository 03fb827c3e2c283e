import { defaults, limits } from '../config.ts';
import { type AuthEnv, type AuthSettings, authSettings } from './auth/settings.ts';
import { type ClusterEnv, type ClusterSettings, clusterSettings } from './cluster_settings.ts';
import { type UpkeepEnv, type UpkeepSettings, upkeepSettings } from './upkeep_settings.ts';
import { checkVariables } from './variable_table.ts';
import { SettingsError, VariableReader } from './variables.ts';

export type { Peer } from './cluster_settings.ts';
export { SettingsError } from './variables.ts';

/**
 * The variables of a deployment that its members read, under etcd's own names. wrangler.toml
 * explains them.
 */
export interface MemberEnv extends ClusterEnv, UpkeepEnv, AuthEnv {
  readonly ETCD_ADVERTISE_CLIENT_URLS?: string;
  readonly ETCD_HEARTBEAT_INTERVAL?: string;
  readonly ETCD_ELECTION_TIMEOUT?: string;
  readonly ETCD_SNAPSHOT_COUNT?: string;
  readonly ETCD_MAX_TXN_OPS?: string;
  readonly ETCD_MAX_REQUEST_BYTES?: string;
  readonly ETCD_LOG_LEVEL?: string;
  readonly ETCD_METRICS?: string;
  readonly ETCD_WARNING_APPLY_DURATION?: string;
  readonly ETCD_EXPERIMENTAL_WARNING_APPLY_DURATION?: string;
  readonly ETCD_WARNING_UNARY_REQUEST_DURATION?: string;
  readonly ETCD_EXPERIMENTAL_WARNING_UNARY_REQUEST_DURATION?: string;
  readonly ETCD_SNAPSHOT_CATCHUP_ENTRIES?: string;
  readonly ETCD_EXPERIMENTAL_SNAPSHOT_CATCHUP_ENTRIES?: string;
  readonly ETCD_MAX_CONCURRENT_STREAMS?: string;
  readonly ETCD_WATCH_PROGRESS_NOTIFY_INTERVAL?: string;
  readonly ETCD_EXPERIMENTAL_WATCH_PROGRESS_NOTIFY_INTERVAL?: string;
  readonly EDGETCD_QUIESCE_AFTER?: string;
  readonly EDGETCD_VERSION_INDEX_BYTES?: string;
  readonly PEER_SECRET?: string;
}

/** What one member is told when it starts. Times in milliseconds. */
export interface MemberSettings extends ClusterSettings, UpkeepSettings {
  readonly cluster: string;
  readonly name: string;
  readonly clientUrls: readonly string[];
  readonly heartbeatIntervalMs: number;
  readonly electionTimeoutMs: number;
  readonly quiesceAfterMs: number;
  readonly snapshotCount: number;
  readonly snapshotCatchUpEntries: number;
  readonly txnOpsMax: number;
  readonly requestBytesMax: number;
  /** Memory for what puts have to know of the versions that they replace. */
  readonly versionIndexBytesMax: number;
  readonly logLevel: LogLevel;
  /** Whether the time that calls take is measured. */
  readonly extensiveMetrics: boolean;
  /** A turn that applies entries for longer is counted as slow. */
  readonly warningApplyMs: number;
  /** A unary call that takes longer is told. */
  readonly warningUnaryMs: number;
  /** Between notices of progress to a watch that asked for them and hears nothing. */
  readonly watchProgressNotifyIntervalMs: number;
  /** Streams open at once. */
  readonly streamsMax: number;
  readonly auth: AuthSettings;
  readonly peerSecret: string;
  /** What the operator should know of variables that have no effect. */
  readonly notes: readonly string[];
}

const VERSION_INDEX_BYTES_MAX = 1024 ** 3;

/** etcd's bound. Longer timers than 24 days would ring at once. */
const ELECTION_TIMEOUT_MS_MAX = 50_000;

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** @param objectName `<cluster>/<member>`, the name of the Durable Object. @throws SettingsError */
export function memberSettings(objectName: string, env: MemberEnv): MemberSettings {
  const read = new VariableReader<keyof MemberEnv>(env);
  const slash = objectName.lastIndexOf('/');
  const cluster = objectName.slice(0, slash);
  const name = objectName.slice(slash + 1);
  const snapshotCount = read.number('ETCD_SNAPSHOT_COUNT', defaults.snapshotCount, 1);
  const settings = {
    cluster,
    name,
    ...clusterSettings(name, read),
    clientUrls: (read.text('ETCD_ADVERTISE_CLIENT_URLS') ?? '').split(',').filter(Boolean),
    heartbeatIntervalMs: read.number('ETCD_HEARTBEAT_INTERVAL', defaults.heartbeatIntervalMs, 1),
    electionTimeoutMs: read.number('ETCD_ELECTION_TIMEOUT', defaults.electionTimeoutMs),
    quiesceAfterMs: read.number('EDGETCD_QUIESCE_AFTER', defaults.quiesceAfterMs),
    snapshotCount,
    snapshotCatchUpEntries: catchUpEntries(read, snapshotCount),
    txnOpsMax: read.number('ETCD_MAX_TXN_OPS', defaults.txnOpsMax, 1),
    requestBytesMax: read.number('ETCD_MAX_REQUEST_BYTES', defaults.requestBytesMax, 1),
    versionIndexBytesMax: read.number('EDGETCD_VERSION_INDEX_BYTES', limits.versionIndexBytesMax),
    streamsMax: read.number('ETCD_MAX_CONCURRENT_STREAMS', limits.streamsMax, 1),
    watchProgressNotifyIntervalMs: progressInterval(read),
    ...upkeepSettings(read),
    logLevel: read.choice('ETCD_LOG_LEVEL', LOG_LEVELS, 'info'),
    extensiveMetrics: read.choice('ETCD_METRICS', ['basic', 'extensive'], 'basic') === 'extensive',
    warningApplyMs: read.durationMs(
      'ETCD_WARNING_APPLY_DURATION',
      read.durationMs('ETCD_EXPERIMENTAL_WARNING_APPLY_DURATION', defaults.warningApplyMs),
    ),
    warningUnaryMs: read.durationMs(
      'ETCD_WARNING_UNARY_REQUEST_DURATION',
      read.durationMs('ETCD_EXPERIMENTAL_WARNING_UNARY_REQUEST_DURATION', defaults.warningUnaryMs),
    ),
    auth: authSettings(read, { ...env }),
    peerSecret: read.text('PEER_SECRET') ?? '',
  };
  check(settings);
  checkSecret(settings);
  return { ...settings, notes: checkVariables({ ...env }, read.known) };
}

/** Entries kept behind the compaction point: fewer where snapshots are more frequent. */
function catchUpEntries(read: VariableReader<keyof MemberEnv>, snapshotCount: number): number {
  const entries = read.number(
    'ETCD_SNAPSHOT_CATCHUP_ENTRIES',
    read.number('ETCD_EXPERIMENTAL_SNAPSHOT_CATCHUP_ENTRIES', defaults.snapshotCatchUpEntries),
  );
  return Math.min(entries, snapshotCount);
}

/** etcd's bound: more notices than ten a second help nobody. */
const PROGRESS_INTERVAL_MS_MIN = 100;

function progressInterval(read: VariableReader<keyof MemberEnv>): number {
  const leastMs = PROGRESS_INTERVAL_MS_MIN;
  const { watchProgressNotifyIntervalMs: fallbackMs } = defaults;
  const older = 'ETCD_EXPERIMENTAL_WATCH_PROGRESS_NOTIFY_INTERVAL';
  const intervalMs = read.durationMs(older, fallbackMs, leastMs);
  return read.durationMs('ETCD_WATCH_PROGRESS_NOTIFY_INTERVAL', intervalMs, leastMs);
}

function check(settings: Omit<MemberSettings, 'notes'>): void {
  const { heartbeatIntervalMs, electionTimeoutMs, requestBytesMax, streamsMax } = settings;
  const { versionIndexBytesMax } = settings;
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
  if (streamsMax > limits.streamsMax) {
    throw new SettingsError(
      `ETCD_MAX_CONCURRENT_STREAMS is at most ${limits.streamsMax}: each takes some of an object's 128 MB`,
    );
  }
  if (versionIndexBytesMax > VERSION_INDEX_BYTES_MAX) {
    throw new SettingsError(
      `EDGETCD_VERSION_INDEX_BYTES is at most ${VERSION_INDEX_BYTES_MAX}: nothing else fits beside more`,
    );
  }
  if (requestBytesMax > defaults.requestBytesMax) {
    throw new SettingsError(
      `ETCD_MAX_REQUEST_BYTES is at most ${defaults.requestBytesMax}: a request must fit in a row of 2 MB`,
    );
  }
}

type Checked = Pick<MemberSettings, 'members' | 'bootstrap' | 'peerSecret'>;

function checkSecret({ members, bootstrap, peerSecret }: Checked): void {
  const remote = members.some(({ url }) => !url.startsWith('do://'));
  const alone = members.length === 1 && bootstrap === null;
  if (remote && !alone && peerSecret === '') {
    throw new SettingsError('PEER_SECRET is not set: members reached by URL need a shared secret');
  }
}
