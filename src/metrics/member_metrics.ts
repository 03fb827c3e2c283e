import { BillMetrics } from './bill.ts';
import { DISK_SECONDS, doubling } from './buckets.ts';
import { CallMetrics } from './calls.ts';
import type { Counter } from './metric.ts';
import { PeerMetrics } from './peers.ts';
import { Registry } from './registry.ts';

/**
 * What one member tells its operators, under etcd's names and with etcd's types: a few totals are
 * gauges there, because they are read off the state, and stay so. Member ids are in hex.
 */
export class MemberMetrics {
  readonly registry = new Registry();
  readonly server = serverMetrics(this.registry);
  readonly health = healthMetrics(this.registry);
  readonly disk = diskMetrics(this.registry);
  readonly mvcc = mvccMetrics(this.registry);
  readonly debugging = debuggingMetrics(this.registry);
  readonly peers = new PeerMetrics(this.registry);
  readonly clients = clientMetrics(this.registry);
  readonly calls = new CallMetrics(this.registry);
  readonly edge = edgeMetrics(this.registry);
  readonly bill = new BillMetrics(this.registry);

  /** The body of /metrics. */
  render(): string {
    return this.registry.render();
  }
}

/** The content type of {@link MemberMetrics.render}. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

function serverMetrics(r: Registry) {
  return {
    hasLeader: r.gauge('etcd_server_has_leader', '1 if this member knows a leader.'),
    isLeader: r.gauge('etcd_server_is_leader', '1 if this member leads.'),
    isLearner: r.gauge('etcd_server_is_learner', '1 if this member has no vote.'),
    id: r.gauges('etcd_server_id', 'Always 1; the label holds the member id.', ['server_id']),
    version: r.gauges('etcd_server_version', 'Always 1; the label holds the version.', [
      'server_version',
    ]),
    clusterVersion: r.gauges('etcd_cluster_version', '1 for the version the cluster agreed on.', [
      'cluster_version',
    ]),
    leaderChangesSeen: r.counter('etcd_server_leader_changes_seen_total', 'New leaders seen.'),
    proposalsCommitted: r.gauge('etcd_server_proposals_committed_total', 'The commit index.'),
    proposalsApplied: r.gauge('etcd_server_proposals_applied_total', 'The applied index.'),
    proposalsPending: r.gauge('etcd_server_proposals_pending', 'Proposals waiting here.'),
    proposalsFailed: r.counter('etcd_server_proposals_failed_total', 'Proposals that failed here.'),
    heartbeatSendFailures: r.counter(
      'etcd_server_heartbeat_send_failures_total',
      'Heartbeats that the leader could not send in time.',
    ),
    slowApply: r.counter(
      'etcd_server_slow_apply_total',
      'Turns that took longer than ETCD_WARNING_APPLY_DURATION.',
    ),
    slowReadIndexes: r.counter(
      'etcd_server_slow_read_indexes_total',
      'Times that reads ran out of time while they waited for a read index.',
    ),
    readIndexesFailed: r.counter(
      'etcd_server_read_indexes_failed_total',
      'Questions for a read index that could not be answered, and were asked again.',
    ),
    quotaBackendBytes: r.gauge('etcd_server_quota_backend_bytes', 'The limit on the database.'),
    learnerPromotes: r.counter('etcd_server_learner_promote_successes', 'Learners promoted here.'),
    snapshotsInProgress: r.gauge(
      'etcd_server_snapshot_apply_in_progress_total',
      '1 while a snapshot is being installed.',
    ),
    processStartSeconds: r.gauge(
      'process_start_time_seconds',
      'When this instance of the member started, in seconds since 1970.',
    ),
  };
}

function healthMetrics(r: Registry) {
  return {
    success: r.counter('etcd_server_health_success', 'Answers of /health that were good.'),
    failures: r.counter('etcd_server_health_failures', 'Answers of /health that were bad.'),
    check: r.gauges('etcd_server_healthcheck', '1 if the check held when it last ran.', [
      'type',
      'name',
    ]),
    checks: r.counters('etcd_server_healthchecks_total', 'Checks by outcome: success or error.', [
      'type',
      'name',
      'status',
    ]),
  };
}

function diskMetrics(r: Registry) {
  return {
    walFsyncSeconds: r.histogram(
      'etcd_disk_wal_fsync_duration_seconds',
      'From writing rows of the log to knowing that they are durable.',
      DISK_SECONDS,
    ),
    walWriteBytes: r.gauge('etcd_disk_wal_write_bytes_total', 'Bytes written to the log.'),
    backendCommitSeconds: r.histogram(
      'etcd_disk_backend_commit_duration_seconds',
      'From writing applied commands to the state tables to knowing that they are durable.',
      DISK_SECONDS,
    ),
    snapDbFsyncSeconds: r.histogram(
      'etcd_snap_db_fsync_duration_seconds',
      "From installing a leader's snapshot to knowing that it is durable.",
      DISK_SECONDS,
    ),
    backendDefragSeconds: r.histogram(
      'etcd_disk_backend_defrag_duration_seconds',
      'Defragmenting the database.',
      doubling(0.1, 13),
    ),
    backendSnapshotSeconds: r.histogram(
      'etcd_disk_backend_snapshot_duration_seconds',
      'Sending a snapshot.',
      doubling(0.01, 17),
    ),
  };
}

function mvccMetrics(r: Registry) {
  return {
    dbBytes: r.gauge('etcd_mvcc_db_total_size_in_bytes', 'The size of the database.'),
    dbInUseBytes: r.gauge('etcd_mvcc_db_total_size_in_use_in_bytes', 'Of it, what is not free.'),
    openReadTransactions: r.gauge(
      'etcd_mvcc_db_open_read_transactions',
      'Pictures of the state that are open for snapshots.',
    ),
    puts: r.counter('etcd_mvcc_put_total', 'Puts seen by this member.'),
    deletes: r.counter('etcd_mvcc_delete_total', 'Deletes seen by this member.'),
    ranges: r.counter(
      'etcd_mvcc_range_total',
      'Ranges answered by this member, those in its writing transactions included.',
    ),
    txns: r.counter('etcd_mvcc_txn_total', 'Transactions seen by this member.'),
    hashSeconds: r.histogram(
      'etcd_mvcc_hash_duration_seconds',
      'Hashing the database.',
      doubling(0.01, 15),
    ),
  };
}

function debuggingMetrics(r: Registry) {
  return {
    keys: r.gauge('etcd_debugging_mvcc_keys_total', 'Keys that exist.'),
    watchers: r.gauge('etcd_debugging_mvcc_watcher_total', 'Watchers.'),
    watchStreams: r.gauge('etcd_debugging_mvcc_watch_stream_total', 'Streams of watchers.'),
    slowWatchers: r.gauge('etcd_debugging_mvcc_slow_watcher_total', 'Watchers that lag behind.'),
    pendingEvents: r.gauge(
      'etcd_debugging_mvcc_pending_events_total',
      'Revisions that watchers that lag behind have still to look at.',
    ),
    events: r.counter('etcd_debugging_mvcc_events_total', 'Events sent.'),
    currentRevision: r.gauge('etcd_debugging_mvcc_current_revision', 'The current revision.'),
    compactRevision: r.gauge('etcd_debugging_mvcc_compact_revision', 'The last compaction.'),
    compactedKeys: r.counter('etcd_debugging_mvcc_db_compaction_keys_total', 'Keys compacted.'),
    leasesGranted: r.counter('etcd_debugging_lease_granted_total', 'Leases granted.'),
    leasesRenewed: r.counter('etcd_debugging_lease_renewed_total', 'Renewals at the leader.'),
    leasesRevoked: r.counter('etcd_debugging_lease_revoked_total', 'Leases revoked.'),
    leasesExpired: r.counter('etcd_debugging_server_lease_expired_total', 'Leases expired.'),
    authRevision: r.gauge('etcd_debugging_auth_revision', 'The revision of users and roles.'),
  };
}

function clientMetrics(r: Registry) {
  return {
    sentBytes: r.counter(
      'etcd_network_client_grpc_sent_bytes_total',
      'Characters of JSON in answers to clients.',
    ),
    receivedBytes: r.counter(
      'etcd_network_client_grpc_received_bytes_total',
      "Characters of JSON in clients' requests.",
    ),
  };
}

/** What the object is woken for, which etcd has no names for. */
function edgeMetrics(r: Registry): EdgeMetrics {
  const requests = r.counters(
    'edgetcd_requests_total',
    'Events that came to this object, by kind: twenty frames of a socket are billed as one request.',
    ['kind'],
  );
  return {
    calls: requests.with('call'),
    streams: requests.with('stream'),
    streamFrames: requests.with('stream_frame'),
    peerRequests: requests.with('raft'),
    peerFrames: requests.with('raft_frame'),
    inspections: requests.with('inspect'),
    alarms: requests.with('alarm'),
  };
}

interface EdgeMetrics {
  /** Unary calls of clients. */
  readonly calls: Counter;
  /** Streams that clients opened, over whatever transport. */
  readonly streams: Counter;
  /** Messages that clients sent on sockets. */
  readonly streamFrames: Counter;
  /** Peers' requests with a body, and their connections. */
  readonly peerRequests: Counter;
  /** Messages of peers on sockets, answers to ours included. */
  readonly peerFrames: Counter;
  readonly inspections: Counter;
  readonly alarms: Counter;
}
