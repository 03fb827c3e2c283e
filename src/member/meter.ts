import type { Code } from '../api/error.ts';
import type { TxnResponse } from '../api/gen/rpc_pb.ts';
import { methodOf, waits } from '../api/methods.ts';
import { MemberMetrics } from '../metrics/member_metrics.ts';
import type { MemberId } from '../raft/message.ts';
import type { SoftState } from '../raft/output.ts';
import type { ApplyResult } from '../state/result.ts';
import type { Sql } from '../storage/sql.ts';
import { type ClusterIdentity, numberOfId } from './identity.ts';
import type { Log } from './logger.ts';
import { countOperations } from './operations.ts';
import type { Runtime } from './runtime.ts';
import type { MemberSettings } from './settings.ts';
import { PeerStats } from './v2/peer_stats.ts';
import { ETCD_VERSION } from './version.ts';

/** What the meter is told of the member's settings. */
type MeterSettings = Pick<
  MemberSettings,
  'heartbeatIntervalMs' | 'warningApplyMs' | 'warningUnaryMs' | 'extensiveMetrics'
>;

/** Between two lines about calls that take long. */
const SLOW_CALLS_INTERVAL_MS = 1_000;

/**
 * Keeps a member's metrics: events are counted as they happen, totals are read off the state when
 * asked.
 */
export class MemberMeter {
  readonly metrics = new MemberMetrics();
  /** The same in the numbers of v2. */
  readonly peerStats = new PeerStats();
  readonly #sql: Sql;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  #settings: MeterSettings | null = null;
  #warningUnaryMs = Number.POSITIVE_INFINITY;
  #log: Log = () => {};
  /** Calls that took long since the last time that one was told. */
  #slowCalls = 0;
  #clusterVersion = '';
  #slowToldMs = Number.NEGATIVE_INFINITY;
  #self: MemberId = '';
  #leader: MemberId | null = null;
  /** Ranges inside writing transactions; the others are counted as calls. */
  #txnRanges = 0;

  constructor(sql: Sql, nowMs: () => number) {
    this.#sql = sql;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
    const { server, calls, mvcc, disk } = this.metrics;
    server.processStartSeconds.set(this.#startMs / 1000);
    server.version.with(ETCD_VERSION).set(1);
    calls.measureInto('/v3/maintenance/hash', mvcc.hashSeconds);
    calls.measureInto('/v3/maintenance/hashkv', mvcc.hashSeconds);
    calls.measureInto('/v3/maintenance/defragment', disk.backendDefragSeconds);
    calls.measureInto('/v3/maintenance/snapshot', disk.backendSnapshotSeconds);
  }

  /** 1 while a leader's snapshot is being installed. */
  get installing() {
    return this.metrics.server.snapshotsInProgress;
  }

  /** The member has read its settings. */
  configure(settings: MeterSettings, { memberId, members }: ClusterIdentity, log: Log): void {
    this.#settings = settings;
    this.#warningUnaryMs = settings.warningUnaryMs;
    this.#log = log;
    this.#self = memberId;
    if (settings.extensiveMetrics) this.metrics.calls.measureSeconds();
    this.#setPeers(members.map(({ id }) => id));
  }

  /** A client's call begins. @returns when: what {@link handled} wants to know */
  started(path: string): number {
    this.metrics.calls.started(path);
    return this.#nowMs();
  }

  /** It ended. */
  handled(path: string, code: Code, startMs: number): void {
    const ms = this.#nowMs() - startMs;
    this.metrics.calls.handled(path, code, ms / 1000);
    if (ms > this.#warningUnaryMs) this.#tookLong(path, ms);
  }

  /** Characters of a client's request. */
  received(chars: number): void {
    this.metrics.clients.receivedBytes.value += chars;
  }

  /** Characters of an answer to a client. */
  sent(chars: number): void {
    this.metrics.clients.sentBytes.value += chars;
  }

  applied({ command: { request }, response, error }: ApplyResult): void {
    const { mvcc, debugging } = this.metrics;
    if (request.case === 'put') mvcc.puts.inc();
    if (request.case === 'deleteRange') mvcc.deletes.inc();
    if (request.case === 'memberPromote' && !error) this.#promoted();
    if (request.case === 'leaseGrant' && !error) debugging.leasesGranted.inc();
    const endsLease = request.case === 'leaseRevoke' || request.case === 'leaseExpire';
    if (endsLease && !error) debugging.leasesRevoked.inc();
    if (request.case !== 'txn' || response === null) return;
    const { puts, deletes, ranges } = countOperations(response as TxnResponse);
    mvcc.puts.inc(puts);
    mvcc.deletes.inc(deletes);
    this.#txnRanges += ranges;
    if (puts + deletes + ranges > 1) mvcc.txns.inc();
  }

  /** A turn that applied entries took so long. */
  turnApplied(ms: number): void {
    if (this.#settings === null || ms <= this.#settings.warningApplyMs) return;
    this.metrics.server.slowApply.inc();
    this.#log('warn', `applying entries took ${ms} ms`);
  }

  softState({ role, leader }: SoftState): void {
    const { server } = this.metrics;
    server.hasLeader.set(leader === null ? 0 : 1);
    server.isLeader.set(role === 'leader' ? 1 : 0);
    if (leader !== null && leader !== this.#leader) server.leaderChangesSeen.inc();
    if (leader !== null) this.#leader = leader;
  }

  /**
   * The node's alarm rings, which was set to that time. A leader whose alarm is late by more than a
   * heartbeat has left one out, as etcd's contention detector would say.
   */
  rang(atMs: number): void {
    const { server } = this.metrics;
    if (server.isLeader.value === 0 || this.#settings === null) return;
    const late = this.#nowMs() - atMs;
    if (late > this.#settings.heartbeatIntervalMs) server.heartbeatSendFailures.inc();
  }

  /** A peer answered. */
  exchanged(peer: MemberId, sentBytes: number, receivedBytes: number, ms: number): void {
    const series = this.metrics.peers.of(this.#self, peer);
    series.sentBytes.inc(sentBytes);
    series.receivedBytes.inc(receivedBytes);
    series.roundTripSeconds.observe(ms / 1000);
    series.active.set(1);
    this.peerStats.exchanged(peer, ms);
    this.metrics.edge.peerFrames.inc();
  }

  exchangeFailed(peer: MemberId): void {
    const series = this.metrics.peers.of(this.#self, peer);
    series.sentFailures.inc();
    series.active.set(0);
    this.peerStats.failed(peer);
  }

  /** A peer's frame was taken, or not, and answered. */
  answeredPeer(peer: MemberId, receivedBytes: number, sentBytes: number, taken: boolean): void {
    const series = this.metrics.peers.find(peer);
    series?.receivedBytes.inc(receivedBytes);
    series?.sentBytes.inc(sentBytes);
    if (!taken) series?.receivedFailures.inc();
    this.peerStats.received();
  }

  /** The text of /metrics. */
  render(runtime: Runtime | null): string {
    const { edge, bill, mvcc, calls } = this.metrics;
    if (runtime) this.#look(runtime);
    mvcc.ranges.value = calls.succeeded('/v3/kv/range') + this.#txnRanges;
    const { rowsRead, rowsWritten } = this.#sql.counters;
    bill.update({
      clientRequests: edge.calls.value + edge.streams.value + edge.inspections.value,
      ownRequests: edge.peerRequests.value + edge.alarms.value,
      socketMessages: edge.peerFrames.value + edge.streamFrames.value,
      rowsRead,
      // Setting the alarm that rang was a row, which the database does not count.
      rowsWritten: rowsWritten + edge.alarms.value,
      storedBytes: this.#sql.databaseBytes,
      seconds: (this.#nowMs() - this.#startMs) / 1000,
    });
    return this.metrics.render();
  }

  /** etcd counts them at the leader alone. */
  #promoted(): void {
    const { server } = this.metrics;
    if (server.isLeader.value === 1) server.learnerPromotes.inc();
  }

  /** Takes what is a state rather than an event. */
  #look(runtime: Runtime): void {
    const { server, mvcc, debugging } = this.metrics;
    const { raft, pendingProposals, failedProposals, slowReads, failedReads } = runtime.node.status;
    const { machine, settings } = runtime;
    const { dbSizeBytes, dbSizeInUseBytes, keyCount, openReads, compactedVersions } =
      machine.status;
    server.id.with(numberOfId(raft.id).toString(16)).set(1);
    server.isLearner.set(runtime.belonging.isLearner ? 1 : 0);
    server.proposalsCommitted.set(raft.commit);
    server.proposalsApplied.set(machine.appliedIndex);
    server.proposalsPending.set(pendingProposals);
    server.proposalsFailed.value = failedProposals;
    server.slowReadIndexes.value = slowReads;
    server.readIndexesFailed.value = failedReads;
    server.quotaBackendBytes.set(settings.quotaBackendBytes);
    mvcc.dbBytes.set(dbSizeBytes);
    mvcc.dbInUseBytes.set(dbSizeInUseBytes);
    mvcc.openReadTransactions.set(openReads);
    debugging.keys.set(keyCount);
    debugging.compactedKeys.value = compactedVersions;
    debugging.leasesRenewed.value = runtime.lessor.totals.renewals;
    debugging.leasesExpired.value = runtime.lessor.totals.expiries;
    const { watchers, slowWatchers, pendingRevisions, eventsSent } = runtime.watches.stats;
    debugging.watchers.set(watchers);
    debugging.watchStreams.set(runtime.watchStreams.size);
    debugging.slowWatchers.set(slowWatchers);
    debugging.pendingEvents.set(pendingRevisions);
    debugging.events.value = eventsSent;
    debugging.authRevision.set(machine.auth.revision);
    const { version } = machine.version;
    if (version !== null) this.#setClusterVersion(version);
    debugging.currentRevision.set(machine.revision);
    debugging.compactRevision.set(machine.compactRevision);
    this.#setPeers([...raft.confState.voters, ...raft.confState.learners]);
  }

  /** A member that is too slow has better things to do than to say so for every call. */
  #tookLong(path: string, ms: number): void {
    // Streams are there to last, and some calls to wait.
    if (methodOf(path)?.kind !== 'unary' || waits(path)) return;
    this.#slowCalls++;
    const nowMs = this.#nowMs();
    if (nowMs - this.#slowToldMs < SLOW_CALLS_INTERVAL_MS) return;
    const others = this.#slowCalls > 1 ? ` (${this.#slowCalls} such calls)` : '';
    this.#log('warn', `${path} took ${ms} ms${others}`);
    this.#slowToldMs = nowMs;
    this.#slowCalls = 0;
  }

  /** `3.5.0`, of which etcd shows `3.5`; an earlier one is 0 from then on. */
  #setClusterVersion(version: string): void {
    const { clusterVersion } = this.metrics.server;
    if (this.#clusterVersion !== '') clusterVersion.with(this.#clusterVersion).set(0);
    this.#clusterVersion = version.replace(/\.0$/, '');
    clusterVersion.with(this.#clusterVersion).set(1);
  }

  #setPeers(members: readonly MemberId[]): void {
    const peers = members.filter((id) => id !== this.#self);
    this.metrics.peers.setKnown(this.#self, peers);
  }
}
