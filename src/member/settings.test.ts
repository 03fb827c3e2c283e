import { describe, expect, it } from 'vitest';
import { defaults } from '../config.ts';
import { type MemberEnv, memberSettings, SettingsError } from './settings.ts';

const THREE = { ETCD_INITIAL_CLUSTER: 'm1=do://m1,m2=do://m2,m3=do://m3' };
const settings = (env: MemberEnv, name = 'c/m1') => memberSettings(name, env);

describe('settings', () => {
  it('without any variable are those of a cluster of one', () => {
    const made = settings({}, 'blue/default');
    expect(made).toMatchObject({
      cluster: 'blue',
      name: 'default',
      members: [{ name: 'default', url: 'do://default' }],
      clusterToken: 'etcd-cluster',
      clientUrls: [],
      heartbeatIntervalMs: 100,
      electionTimeoutMs: 1_000,
      snapshotCount: 10_000,
      snapshotCatchUpEntries: 5_000,
      txnOpsMax: 128,
      requestBytesMax: 1_572_864,
      quotaBackendBytes: 2_147_483_648,
      logLevel: 'info',
    });
    expect(made.identity).toEqual(made.members);
  });

  it('take every variable', () => {
    const made = settings({
      ...THREE,
      ETCD_INITIAL_CLUSTER_TOKEN: 'token',
      ETCD_ADVERTISE_CLIENT_URLS: 'http://a:1,http://b:2',
      ETCD_HEARTBEAT_INTERVAL: '20',
      ETCD_ELECTION_TIMEOUT: '200',
      ETCD_SNAPSHOT_COUNT: '100',
      ETCD_MAX_TXN_OPS: '7',
      ETCD_MAX_REQUEST_BYTES: '1000',
      ETCD_QUOTA_BACKEND_BYTES: '5000',
      ETCD_WATCH_PROGRESS_NOTIFY_INTERVAL: '1m30s',
      ETCD_EXPERIMENTAL_WATCH_PROGRESS_NOTIFY_INTERVAL: '1h',
      ETCD_LOG_LEVEL: 'debug',
      EDGETCD_QUIESCE_AFTER: '3000',
      PEER_SECRET: 'secret',
    });
    expect(made).toMatchObject({
      clusterToken: 'token',
      clientUrls: ['http://a:1', 'http://b:2'],
      heartbeatIntervalMs: 20,
      electionTimeoutMs: 200,
      snapshotCount: 100,
      snapshotCatchUpEntries: 100,
      txnOpsMax: 7,
      requestBytesMax: 1_000,
      quotaBackendBytes: 5_000,
      watchProgressNotifyIntervalMs: 90_000,
      logLevel: 'debug',
      quiesceAfterMs: 3_000,
      peerSecret: 'secret',
    });
    expect(made.members.map(({ name }) => name)).toEqual(['m1', 'm2', 'm3']);
  });

  it('take an empty variable for one that is not set', () => {
    const empty = { ETCD_INITIAL_CLUSTER: '', ETCD_HEARTBEAT_INTERVAL: '', ETCD_LOG_LEVEL: '' };
    expect(settings(empty)).toEqual(settings({}));
    expect(settings(empty).heartbeatIntervalMs).toBe(defaults.heartbeatIntervalMs);
  });

  it('split the name of the object at its last slash', () => {
    const { cluster, name } = settings({}, 'team/blue/m1');
    expect([cluster, name]).toEqual(['team/blue', 'm1']);
  });
});

describe('a member that was added later', () => {
  it('joins, when it is an object of the deployment that nobody named', () => {
    const { joining, self, members } = settings(THREE, 'c/m4');
    expect(joining).toBe(true);
    expect(self).toEqual({ name: 'm4', url: 'do://m4' });
    expect(members.map(({ name }) => name)).toEqual(['m1', 'm2', 'm3']);
  });

  it('joins, when it is told that the cluster exists', () => {
    const variables = {
      ETCD_INITIAL_CLUSTER: 'm1=http://a:1,m4=http://d:1',
      ETCD_INITIAL_CLUSTER_STATE: 'existing',
      PEER_SECRET: 's',
    };
    expect(settings(variables, 'c/m4')).toMatchObject({
      joining: true,
      self: { name: 'm4', url: 'http://d:1' },
    });
    expect(settings({ ...variables, ETCD_INITIAL_CLUSTER_STATE: 'new' }, 'c/m4').joining).toBe(
      false,
    );
  });
});

describe('a wrong setting is named', () => {
  const remote = 'm1=https://a.example,m2=https://b.example';
  it.each<[MemberEnv, RegExp]>([
    [{ ETCD_INITIAL_CLUSTER: 'm1' }, /^ETCD_INITIAL_CLUSTER is not a list of name=url: "m1"$/],
    [{ ETCD_INITIAL_CLUSTER: 'm1=do://m1,m1=do://m1' }, /^ETCD_INITIAL_CLUSTER is not a list/],
    [
      { ETCD_INITIAL_CLUSTER: 'm2=https://b.example' },
      /^couldn't find local name "m1" in the initial/,
    ],
    [{ ETCD_INITIAL_CLUSTER_STATE: 'old' }, /^ETCD_INITIAL_CLUSTER_STATE is not one of new, exist/],
    [{ ETCD_STRICT_RECONFIG_CHECK: 'so' }, /^ETCD_STRICT_RECONFIG_CHECK is neither true nor/],
    [{ ETCD_INITIAL_CLUSTER: 'm1=m1' }, /^ETCD_INITIAL_CLUSTER: m1=m1 is neither/],
    [{ ETCD_INITIAL_CLUSTER: 'm1=ftp://m1' }, /^ETCD_INITIAL_CLUSTER: m1=ftp:\/\/m1 is neither/],
    [{ ETCD_INITIAL_CLUSTER: 'm1=do://m9' }, /^ETCD_INITIAL_CLUSTER: m1=do:\/\/m9 is neither/],
    [{ EDGETCD_IDENTITY_CLUSTER: 'nonsense' }, /^EDGETCD_IDENTITY_CLUSTER is not a list/],
    [{ ...THREE, EDGETCD_IDENTITY_CLUSTER: 'm1=do://m1' }, /^EDGETCD_IDENTITY_CLUSTER .*m2, m3/],
    [
      { ...THREE, EDGETCD_IDENTITY_CLUSTER: 'm1=x,m2=x,m3=y' },
      /^EDGETCD_IDENTITY_CLUSTER: m1 and m2 have the same URL/,
    ],
    [
      { ETCD_INITIAL_CLUSTER: 'm1=https://a,m2=https://a', PEER_SECRET: 's' },
      /^ETCD_INITIAL_CLUSTER: m1 and m2 have the same URL/,
    ],
    [{ ETCD_INITIAL_CLUSTER: remote }, /^PEER_SECRET is not set/],
    [{ ETCD_HEARTBEAT_INTERVAL: 'fast' }, /^ETCD_HEARTBEAT_INTERVAL is not a number: "fast"$/],
    [{ ETCD_HEARTBEAT_INTERVAL: '-1' }, /^ETCD_HEARTBEAT_INTERVAL must be at least 1$/],
    [{ ETCD_HEARTBEAT_INTERVAL: '1.5' }, /^ETCD_HEARTBEAT_INTERVAL is not a number/],
    [{ ETCD_HEARTBEAT_INTERVAL: '0' }, /^ETCD_HEARTBEAT_INTERVAL must be at least 1$/],
    [{ ETCD_ELECTION_TIMEOUT: '1e3' }, /^ETCD_ELECTION_TIMEOUT is not a number/],
    [{ ETCD_ELECTION_TIMEOUT: '499' }, /--election-timeout\[499ms\] should be at least as 5 times/],
    [{ ETCD_ELECTION_TIMEOUT: '50001' }, /--election-timeout\[50001ms\] is too long/],
    [{ ETCD_SNAPSHOT_COUNT: '0' }, /^ETCD_SNAPSHOT_COUNT must be at least 1$/],
    [{ ETCD_SNAPSHOT_COUNT: ' 1' }, /^ETCD_SNAPSHOT_COUNT is not a number: " 1"$/],
    [{ ETCD_MAX_TXN_OPS: 'all' }, /^ETCD_MAX_TXN_OPS is not a number/],
    [{ ETCD_MAX_TXN_OPS: '0' }, /^ETCD_MAX_TXN_OPS must be at least 1$/],
    [{ ETCD_MAX_REQUEST_BYTES: '1572865' }, /^ETCD_MAX_REQUEST_BYTES is at most 1572864/],
    [{ ETCD_MAX_REQUEST_BYTES: '0' }, /^ETCD_MAX_REQUEST_BYTES must be at least 1$/],
    [{ ETCD_QUOTA_BACKEND_BYTES: '9007199254740992' }, /^ETCD_QUOTA_BACKEND_BYTES is not a number/],
    [
      { ETCD_EXPERIMENTAL_WATCH_PROGRESS_NOTIFY_INTERVAL: '99ms' },
      /^ETCD_EXPERIMENTAL_WATCH_PROGRESS_NOTIFY_INTERVAL must be at least 100ms$/,
    ],
    [{ EDGETCD_VERSION_INDEX_BYTES: '1073741825' }, /^EDGETCD_VERSION_INDEX_BYTES is at most 1073/],
    [{ EDGETCD_QUIESCE_AFTER: 'never' }, /^EDGETCD_QUIESCE_AFTER is not a number/],
    [{ ETCD_LOG_LEVEL: 'trace' }, /^ETCD_LOG_LEVEL is not one of debug, info, warn, error$/],
  ])('%j', (env, words) => {
    expect(() => settings(env)).toThrow(SettingsError);
    expect(() => settings(env)).toThrow(words);
  });

  it('for an object that has no name', () => {
    expect(() => settings({}, '')).toThrow(SettingsError);
    expect(() => settings(THREE, '')).toThrow(SettingsError);
  });

  it('but a lone member elsewhere needs no secret', () => {
    expect(settings({ ETCD_INITIAL_CLUSTER: 'm1=https://a.example' }).peerSecret).toBe('');
  });
});
