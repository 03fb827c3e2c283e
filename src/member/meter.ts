import type { Code } from '../api/error.ts';
import { methodOf } from '../api/methods.ts';
import { codeName, MemberMetrics } from '../metrics/member_metrics.ts';
import type { Counter } from '../metrics/metric.ts';
import type { MemberId } from '../raft/message.ts';
import type { SoftState } from '../raft/output.ts';
import type { ApplyResult } from '../state/result.ts';
import type { Sql } from '../storage/sql.ts';
import type { NodeHost } from './host.ts';
import { numberOfId } from './identity.ts';
import type { Runtime } from './runtime.ts';
import { ETCD_CLUSTER_VERSION, ETCD_VERSION } from './version.ts';

interface Call {
  readonly labels: readonly [service: string, method: string, kind: string];
  readonly started: Counter;
  readonly handled: Map<Code, Counter>;
}

/**
 * Keeps a member's metrics: events are counted as they happen, totals are read off the state when
 * asked.
 */
export class MemberMeter {
  readonly metrics = new MemberMetrics();
  readonly #sql: Sql;
  readonly #nowMs: () => number;
  readonly #calls = new Map<string, Call>();
  #leader: MemberId | null = null;

  constructor(sql: Sql, nowMs: () => number) {
    this.#sql = sql;
    this.#nowMs = nowMs;
    const { server } = this.metrics;
    server.processStartSeconds.set(nowMs() / 1000);
    server.version.with(ETCD_VERSION).set(1);
    server.clusterVersion.with(ETCD_CLUSTER_VERSION.replace(/\.0$/, '')).set(1);
  }

  /** A client's call begins. */
  started(path: string): void {
    this.#callOf(path).started.inc();
  }

  /** It ended. */
  handled(path: string, code: Code): void {
    const call = this.#callOf(path);
    let counter = call.handled.get(code);
    if (!counter) {
      counter = this.metrics.grpc.handled.with(...call.labels, codeName(code));
      call.handled.set(code, counter);
    }
    counter.inc();
  }

  /** The counters of a method, looked up by their labels once. */
  #callOf(path: string): Call {
    const known = this.#calls.get(path);
    if (known) return known;
    const method = methodOf(path);
    const labels = [
      method?.service ?? 'unknown',
      method?.name ?? 'unknown',
      method?.kind ?? 'unary',
    ] as const;
    const started = this.metrics.grpc.started.with(...labels);
    const call: Call = { labels, started, handled: new Map() };
    // Only what is in the table of methods: clients choose the path.
    if (method) this.#calls.set(path, call);
    return call;
  }

  applied({ command: { request } }: ApplyResult): void {
    const { mvcc, debugging } = this.metrics;
    if (request.case === 'put') mvcc.puts.inc();
    if (request.case === 'deleteRange') mvcc.deletes.inc();
    if (request.case === 'txn') mvcc.txns.inc();
    if (request.case === 'leaseGrant') debugging.leasesGranted.inc();
    if (request.case === 'leaseRevoke') debugging.leasesRevoked.inc();
  }

  softState({ role, leader }: SoftState): void {
    const { server } = this.metrics;
    server.hasLeader.set(leader === null ? 0 : 1);
    server.isLeader.set(role === 'leader' ? 1 : 0);
    if (leader !== null && leader !== this.#leader) server.leaderChangesSeen.inc();
    if (leader !== null) this.#leader = leader;
  }

  exchanged(peer: MemberId, sentBytes: number, receivedBytes: number, ms: number): void {
    const { network } = this.metrics;
    network.peerSentBytes.with(peer).inc(sentBytes);
    network.peerReceivedBytes.with(peer).inc(receivedBytes);
    network.peerRoundTripSeconds.with(peer).observe(ms / 1000);
  }

  exchangeFailed(peer: MemberId): void {
    this.metrics.network.peerSentFailures.with(peer).inc();
  }

  /** The disk, with the time from a write to its confirmation measured. */
  timed<D extends NodeHost['disk']>(disk: D): D {
    const sync = disk.sync.bind(disk);
    const { walFsyncSeconds } = this.metrics.disk;
    disk.sync = (done) => {
      const startMs = this.#nowMs();
      sync((error) => {
        walFsyncSeconds.observe((this.#nowMs() - startMs) / 1000);
        done(error);
      });
    };
    return disk;
  }

  /** The text of /metrics. */
  render(runtime: Runtime | null): string {
    const { server, edge, mvcc, debugging } = this.metrics;
    edge.rowsWritten.value = this.#sql.counters.rowsWritten;
    edge.rowsRead.value = this.#sql.counters.rowsRead;
    if (runtime) {
      const { raft, pendingProposals } = runtime.node.status;
      const { machine, identity, settings } = runtime;
      const { dbSizeBytes, dbSizeInUseBytes } = machine.status;
      server.id.with(numberOfId(identity.memberId).toString(16)).set(1);
      server.isLearner.set(raft.confState.learners.includes(raft.id) ? 1 : 0);
      server.proposalsCommitted.set(raft.commit);
      server.proposalsApplied.set(machine.appliedIndex);
      server.proposalsPending.set(pendingProposals);
      server.quotaBackendBytes.set(settings.quotaBackendBytes);
      mvcc.dbBytes.set(dbSizeBytes);
      mvcc.dbInUseBytes.set(dbSizeInUseBytes);
      debugging.currentRevision.set(machine.revision);
      debugging.compactRevision.set(machine.compactRevision);
    }
    return this.metrics.render();
  }
}
