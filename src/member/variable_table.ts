import { SettingsError } from './variables.ts';

/**
 * etcd's variables that have one possible meaning here: another value would be a promise that is
 * not kept, so it is refused. With the reason, which completes "NAME must be VALUE here: …".
 */
export const FIXED: Readonly<Record<string, readonly [value: string, reason: string]>> = {
  ETCD_AUTO_TLS: ['false', 'the platform ends TLS'],
  ETCD_CERT_FILE: ['', 'the platform ends TLS'],
  ETCD_CIPHER_SUITES: ['', 'the platform ends TLS'],
  ETCD_CLIENT_CERT_ALLOWED_HOSTNAME: ['', 'no client certificate is looked at'],
  ETCD_CLIENT_CERT_AUTH: ['false', 'no client certificate is looked at'],
  ETCD_CLIENT_CRL_FILE: ['', 'no client certificate is looked at'],
  ETCD_CONFIG_FILE: ['', 'variables are the only configuration'],
  ETCD_DISCOVERY_CACERT: ['', 'the platform makes the connections'],
  ETCD_DISCOVERY_CERT: ['', 'the platform makes the connections'],
  ETCD_DISCOVERY_DIAL_TIMEOUT: ['', 'of discovery there is the second version: ETCD_DISCOVERY'],
  ETCD_DISCOVERY_ENDPOINTS: ['', 'of discovery there is the second version: ETCD_DISCOVERY'],
  ETCD_DISCOVERY_FALLBACK: ['exit', 'a member is no proxy when its cluster is full'],
  ETCD_DISCOVERY_INSECURE_SKIP_TLS_VERIFY: ['', 'the platform makes the connections'],
  ETCD_DISCOVERY_KEEPALIVE_TIME: ['', 'of discovery there is the second version: ETCD_DISCOVERY'],
  ETCD_DISCOVERY_KEEPALIVE_TIMEOUT: [
    '',
    'of discovery there is the second version: ETCD_DISCOVERY',
  ],
  ETCD_DISCOVERY_KEY: ['', 'the platform makes the connections'],
  ETCD_DISCOVERY_PASSWORD: ['', 'of discovery there is the second version: ETCD_DISCOVERY'],
  ETCD_DISCOVERY_PROXY: ['', 'the platform makes the connections'],
  ETCD_DISCOVERY_REQUEST_TIMEOUT: ['', 'of discovery there is the second version: ETCD_DISCOVERY'],
  ETCD_DISCOVERY_TOKEN: ['', 'of discovery there is the second version: ETCD_DISCOVERY'],
  ETCD_DISCOVERY_USER: ['', 'of discovery there is the second version: ETCD_DISCOVERY'],
  ETCD_ENABLE_GRPC_GATEWAY: ['true', 'the gateway is what is served'],
  ETCD_ENABLE_PPROF: ['false', 'the platform has no such profiles'],
  ETCD_EXPERIMENTAL_COMPACT_HASH_CHECK_ENABLED: [
    'false',
    'ETCD_CORRUPT_CHECK_TIME says when members are compared',
  ],
  ETCD_EXPERIMENTAL_ENABLE_DISTRIBUTED_TRACING: ['false', 'the platform traces requests'],
  ETCD_EXPERIMENTAL_ENABLE_LEASE_CHECKPOINT: [
    'false',
    'a new leader grants every lease its full TTL again',
  ],
  ETCD_EXPERIMENTAL_ENABLE_LEASE_CHECKPOINT_PERSIST: [
    'false',
    'a new leader grants every lease its full TTL again',
  ],
  ETCD_EXPERIMENTAL_ENABLE_V2V3: ['', 'the keys of v2 are not those of v3'],
  ETCD_EXPERIMENTAL_MAX_LEARNERS: ['1', 'all members must agree on it'],
  ETCD_FEATURE_GATES: ['', 'there are no feature gates'],
  ETCD_FORCE_NEW_CLUSTER: ['false', 'a new cluster is made from a snapshot, by npm run restore'],
  ETCD_INITIAL_ELECTION_TICK_ADVANCE: ['true', 'a first election never waits for several timeouts'],
  ETCD_KEY_FILE: ['', 'the platform ends TLS'],
  ETCD_LISTEN_CLIENT_HTTP_URLS: ['', 'everything is served on one URL'],
  ETCD_LISTEN_METRICS_URLS: ['', 'everything is served on one URL'],
  ETCD_MAX_LEARNERS: ['1', 'all members must agree on it'],
  ETCD_PEER_AUTO_TLS: ['false', 'the platform ends TLS'],
  ETCD_PEER_CERT_ALLOWED_CN: ['', 'peers show each other PEER_SECRET'],
  ETCD_PEER_CERT_ALLOWED_HOSTNAME: ['', 'peers show each other PEER_SECRET'],
  ETCD_PEER_CERT_FILE: ['', 'peers show each other PEER_SECRET'],
  ETCD_PEER_CLIENT_CERT_AUTH: ['false', 'peers show each other PEER_SECRET'],
  ETCD_PEER_CRL_FILE: ['', 'peers show each other PEER_SECRET'],
  ETCD_PEER_KEY_FILE: ['', 'peers show each other PEER_SECRET'],
  ETCD_PEER_TRUSTED_CA_FILE: ['', 'peers show each other PEER_SECRET'],
  ETCD_PRE_VOTE: ['true', 'elections always begin with a pre-vote'],
  ETCD_PROXY: ['off', 'a proxy is started by npm run proxy'],
  ETCD_TRUSTED_CA_FILE: ['', 'the platform ends TLS'],
  ETCD_UNSAFE_NO_FSYNC: ['false', 'nothing is acknowledged before it is durable'],
  ETCD_V2_DEPRECATION: ['not-yet', 'the v2 API stays; ETCD_ENABLE_V2 says whether it is served'],
};

/** etcd's variables that concern what does not exist here: a member that finds one says so. */
export const IDLE: Readonly<Record<string, string>> = {
  ETCD_BACKEND_BATCH_INTERVAL: 'rows are written when enough has gathered',
  ETCD_BACKEND_BATCH_LIMIT: 'rows are written when enough has gathered',
  ETCD_BACKEND_BBOLT_FREELIST_TYPE: 'the database is SQLite',
  ETCD_BCRYPT_COST: 'passwords are not hashed by bcrypt',
  ETCD_BOOTSTRAP_DEFRAG_THRESHOLD_MEGABYTES: 'the database gives back what is freed',
  ETCD_COMPACTION_BATCH_LIMIT: 'a slice of a compaction has a fixed size',
  ETCD_COMPACTION_SLEEP_INTERVAL: 'a slice of a compaction has a fixed size',
  ETCD_COMPACT_HASH_CHECK_TIME: 'ETCD_CORRUPT_CHECK_TIME says when members are compared',
  ETCD_DATA_DIR: 'the object has its data; npm run member obeys it',
  ETCD_DEBUG: 'ETCD_LOG_LEVEL says what is logged',
  ETCD_DISCOVERY_INSECURE_TRANSPORT: 'ETCD_DISCOVERY has its scheme',
  ETCD_DOWNGRADE_CHECK_TIME: 'a version is agreed on when members say theirs',
  ETCD_ENABLE_LOG_ROTATION: 'lines go to the platform',
  ETCD_EXPERIMENTAL_BACKEND_BBOLT_FREELIST_TYPE: 'the database is SQLite',
  ETCD_EXPERIMENTAL_BOOTSTRAP_DEFRAG_THRESHOLD_MEGABYTES: 'the database gives back what is freed',
  ETCD_EXPERIMENTAL_COMPACTION_BATCH_LIMIT: 'a slice of a compaction has a fixed size',
  ETCD_EXPERIMENTAL_COMPACTION_SLEEP_INTERVAL: 'a slice of a compaction has a fixed size',
  ETCD_EXPERIMENTAL_COMPACT_HASH_CHECK_TIME:
    'ETCD_CORRUPT_CHECK_TIME says when members are compared',
  ETCD_EXPERIMENTAL_DISTRIBUTED_TRACING_ADDRESS: 'the platform traces requests',
  ETCD_EXPERIMENTAL_DISTRIBUTED_TRACING_INSTANCE_ID: 'the platform traces requests',
  ETCD_EXPERIMENTAL_DISTRIBUTED_TRACING_SAMPLING_RATE: 'the platform traces requests',
  ETCD_EXPERIMENTAL_DISTRIBUTED_TRACING_SERVICE_NAME: 'the platform traces requests',
  ETCD_EXPERIMENTAL_DOWNGRADE_CHECK_TIME: 'a version is agreed on when members say theirs',
  ETCD_EXPERIMENTAL_MEMORY_MLOCK: 'the platform gives an object its memory',
  ETCD_EXPERIMENTAL_STOP_GRPC_SERVICE_ON_DEFRAG: 'defragmenting stops nothing',
  ETCD_EXPERIMENTAL_TXN_MODE_WRITE_WITH_SHARED_BUFFER: 'the database is SQLite',
  ETCD_GRPC_KEEPALIVE_INTERVAL: 'the platform keeps connections',
  ETCD_GRPC_KEEPALIVE_MIN_TIME: 'the platform keeps connections',
  ETCD_GRPC_KEEPALIVE_TIMEOUT: 'the platform keeps connections',

  ETCD_LISTEN_CLIENT_URLS: 'the deployment has its URL from the platform; npm run member obeys it',
  ETCD_LISTEN_PEER_URLS: 'the deployment has its URL from the platform; npm run member obeys it',
  ETCD_LOGGER: 'lines go to the platform',
  ETCD_LOG_FORMAT: 'lines go to the platform',
  ETCD_LOG_OUTPUT: 'lines go to the platform',
  ETCD_LOG_OUTPUTS: 'lines go to the platform',
  ETCD_LOG_PACKAGE_LEVELS: 'ETCD_LOG_LEVEL says what is logged',
  ETCD_LOG_ROTATION_CONFIG_JSON: 'lines go to the platform',
  ETCD_MAX_SNAPSHOTS: 'no files of snapshots are kept',
  ETCD_MAX_WALS: 'the log is a table',
  ETCD_MEMORY_MLOCK: 'the platform gives an object its memory',
  ETCD_PROXY_DIAL_TIMEOUT: 'npm run proxy obeys it',
  ETCD_PROXY_FAILURE_WAIT: 'npm run proxy obeys it',
  ETCD_PROXY_READ_TIMEOUT: 'npm run proxy obeys it',
  ETCD_PROXY_REFRESH_INTERVAL: 'npm run proxy obeys it',
  ETCD_PROXY_WRITE_TIMEOUT: 'npm run proxy obeys it',
  ETCD_SELF_SIGNED_CERT_VALIDITY: 'the platform ends TLS',
  ETCD_SOCKET_REUSE_ADDRESS: 'the deployment has its URL from the platform',
  ETCD_SOCKET_REUSE_PORT: 'the deployment has its URL from the platform',
  ETCD_TLS_MAX_VERSION: 'the platform ends TLS',
  ETCD_TLS_MIN_VERSION: 'the platform ends TLS',
  ETCD_UNSUPPORTED_ARCH: 'the platform has its own processors',
  ETCD_VERIFY: 'invariants are always checked',
  ETCD_WAL_DIR: 'the log is a table',
};

/** Those that the gateway reads, or that everything derives from. */
export const GATEWAY: ReadonlySet<string> = new Set([
  'ETCD_CORS',
  'ETCD_ENABLE_V2',
  'ETCD_HOST_WHITELIST',
  'ETCD_LOCATION_HINTS',
  'ETCD_NAME',
]);

/**
 * Looks through all variables of etcd's kind: none is ignored without a word.
 * @param known those that are read
 * @returns what to tell the operator
 * @throws SettingsError for a value that cannot be obeyed
 */
export function checkVariables(
  variables: Readonly<Record<string, unknown>>,
  known: ReadonlySet<string>,
): readonly string[] {
  const notes: string[] = [];
  for (const [name, value] of Object.entries(variables)) {
    if (!name.startsWith('ETCD_') || typeof value !== 'string' || value === '') continue;
    if (known.has(name) || GATEWAY.has(name)) continue;
    const fixed = FIXED[name];
    if (fixed !== undefined) checkFixed(name, value, fixed);
    else if (IDLE[name] !== undefined) notes.push(`${name} has no effect: ${IDLE[name]}`);
    else notes.push(`unrecognized environment variable ${name}`);
  }
  return notes;
}

function checkFixed(name: string, value: string, [only, reason]: readonly [string, string]): void {
  if (value === only) return;
  const what = only === '' ? 'must not be set' : `must be ${only}`;
  throw new SettingsError(`${name} ${what} here: ${reason}`);
}
