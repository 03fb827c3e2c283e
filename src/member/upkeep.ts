import { create } from '@bufbuild/protobuf';
import { EtcdError } from '../api/error.ts';
import type { Command } from '../api/gen/command_pb.ts';
import {
  AlarmRequest_AlarmAction,
  AlarmRequestSchema,
  AlarmType,
  type SnapshotResponseSchema,
} from '../api/gen/rpc_pb.ts';
import { limits } from '../config.ts';
import type { MemberId } from '../raft/message.ts';
import { compareVersions } from '../state/cluster_version.ts';
import type { KvHash } from '../state/hash.ts';
import type { StateMachine } from '../state/machine.ts';
import type { FrameBody, FrameReply } from '../transport/frame.ts';
import { AutoCompactor } from './auto_compaction.ts';
import { ClientSnapshot } from './client_snapshot.ts';
import { CorruptionMonitor, Witness } from './corruption.ts';
import { decodeFingerprintRequest, encodeFingerprint, FINGERPRINT_PATH } from './fingerprint.ts';
import { hashKeys, hashTables, type SliceHost } from './hashing.ts';
import { numberOfId } from './identity.ts';
import { askFingerprint } from './peer_fingerprint.ts';
import { Quota } from './quota.ts';
import type { StreamSink } from './services/service.ts';
import type { UpkeepSettings } from './upkeep_settings.ts';
import { ETCD_CLUSTER_VERSION, ETCD_VERSION } from './version.ts';

/** The least that a timer waits: everything that is due by then goes first. */
const PAUSE_MS = 1;
/** Longer timers would ring at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** What upkeep needs of the running member. */
export interface UpkeepHost {
  readonly settings: UpkeepSettings;
  readonly memberId: MemberId;
  readonly clusterId: string;
  machine(): StateMachine;
  guard<T>(work: () => T): T | null;
  /** The term that this member leads; null: another one does, or nobody. */
  leadsTerm(): number | null;
  /** Heartbeats go round: a timer keeps nobody awake who would sleep. */
  awake(): boolean;
  peers(): readonly MemberId[];
  exchange(to: MemberId, body: FrameBody): Promise<FrameReply>;
  /**
   * Replicates a command of the member's own. @param onlyInTerm 0: in any @throws EtcdError
   */
  propose(request: Command['request'], onlyInTerm: number): Promise<unknown>;
  /** Returns when the rows of compacted versions are gone. */
  compacted(): Promise<void>;
  nowMs(): number;
  setTimer(callback: () => void, ms: number): void;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
}

/**
 * Keeps the database of one member in order: its size within the quota, old versions compacted, its
 * content compared with that of other members, and copies of it for clients.
 */
export class Upkeep {
  readonly #host: UpkeepHost;
  readonly #slices: SliceHost;
  readonly #quota: Quota;
  readonly #corruption: CorruptionMonitor;
  readonly #autoCompactor: AutoCompactor | null;
  readonly #witness: Witness;
  readonly #snapshots = new Set<ClientSnapshot>();

  constructor(host: UpkeepHost) {
    this.#host = host;
    this.#slices = {
      machine: () => host.machine(),
      guard: (work) => host.guard(work),
      pause: () => this.#sleep(PAUSE_MS),
    };
    this.#quota = new Quota({
      quotaBytes: host.settings.quotaBackendBytes,
      stateBytes: () => host.machine().sizeBytes,
      isRaised: () => this.#isRaised(AlarmType.NOSPACE),
      raise: () => this.#raise(AlarmType.NOSPACE, host.memberId, 0),
    });
    this.#witness = new Witness(this.#slices);
    this.#corruption = this.#monitor();
    const { autoCompaction } = host.settings;
    this.#autoCompactor = autoCompaction && this.#openAutoCompactor(autoCompaction);
  }

  start(): void {
    const { quotaNotice } = this.#host.settings;
    if (quotaNotice !== null) this.#host.log('warn', quotaNotice);
    this.#autoCompactor?.wake();
  }

  /** Commands have been applied: whoever had nothing to do has something again. */
  applied(): void {
    this.#corruption.wake();
    this.#autoCompactor?.wake();
  }

  /** This member has become the leader: it sees to it that the cluster has a version. */
  promoted(): void {
    this.#corruption.wake();
    const term = this.#host.leadsTerm();
    const { version } = this.#host.machine().version;
    if (term === null) return;
    if (version !== null && compareVersions(version, ETCD_CLUSTER_VERSION) >= 0) return;
    // The next leader tries again.
    void this.#setClusterVersion(term).catch(() => undefined);
  }

  /** There is room for the command. */
  admits(request: Command['request']): boolean {
    return this.#quota.admits(request);
  }

  /** There is none. @throws EtcdError always */
  refuse(): Promise<never> {
    return this.#quota.refuse();
  }

  /** @param revision 0 for the newest. @throws EtcdError */
  hashKeys(revision: number): Promise<KvHash> {
    return hashKeys(this.#slices, revision);
  }

  /** Of all tables. @throws EtcdError */
  async hashTables(): Promise<number> {
    const { hash } = await hashTables(this.#slices);
    return hash;
  }

  /**
   * What there is to do here: the platform gives freed pages back by itself, and its SQLite cannot
   * be asked to rewrite its file. So what is in memory is written down, and the call returns when
   * no row of a compacted version is left.
   */
  async defragment(): Promise<void> {
    this.#host.guard(() => this.#host.machine().flush());
    await this.#host.compacted();
  }

  /** Begins to send a copy of the state. @throws EtcdError */
  openSnapshot(sink: StreamSink<typeof SnapshotResponseSchema>): ClientSnapshot {
    for (const snapshot of this.#snapshots) {
      if (snapshot.isOver) this.#snapshots.delete(snapshot);
    }
    if (this.#snapshots.size >= limits.clientSnapshotsMax) throw EtcdError.of('tooManyRequests');
    const info = { version: ETCD_VERSION, cluster: this.#host.clusterId };
    const snapshot = new ClientSnapshot(this.#host, sink, info);
    this.#snapshots.add(snapshot);
    return snapshot;
  }

  /** Compares the members now, and raises the alarm where they differ. @throws EtcdError */
  compareMembers(): Promise<void> {
    return this.#corruption.compare(true);
  }

  /** A call of a peer that is about upkeep; null: it is not. */
  answerPeer(path: string, request: Uint8Array): Uint8Array | null {
    if (path !== FINGERPRINT_PATH) return null;
    return encodeFingerprint(this.#witness.testify(decodeFingerprintRequest(request)));
  }

  #monitor(): CorruptionMonitor {
    const host = this.#host;
    return new CorruptionMonitor(
      {
        ...this.#slices,
        memberId: host.memberId,
        nowMs: () => host.nowMs(),
        sleep: (ms) => this.#sleep(ms),
        setTimer: (callback, ms) => this.#after(callback, ms),
        leading: () => host.leadsTerm() !== null,
        awake: () => host.awake(),
        peers: () => host.peers(),
        ask: (peer, request) => askFingerprint(host, peer, request),
        // The entry that says the version also is where outcomes are summed up from.
        realign: () => this.#setClusterVersion(this.#term()),
        // A leader that was deposed meanwhile has nobody to accuse any more.
        raise: (member) => this.#raise(AlarmType.CORRUPT, member, this.#term()),
        log: (level, message) => host.log(level, message),
      },
      host.settings.corruptCheckMs,
    );
  }

  #openAutoCompactor(plan: NonNullable<UpkeepSettings['autoCompaction']>): AutoCompactor {
    const host = this.#host;
    return new AutoCompactor(
      {
        nowMs: () => host.nowMs(),
        revision: () => host.machine().revision,
        leading: () => host.leadsTerm() !== null,
        awake: () => host.awake(),
        compact: (revision) => this.#compact(revision),
        setTimer: (callback, ms) => this.#after(callback, ms),
        log: (level, message) => host.log(level, message),
      },
      plan,
    );
  }

  async #compact(revision: number): Promise<void> {
    const value = {
      $typeName: 'etcdserverpb.CompactionRequest',
      revision: BigInt(revision),
      physical: false,
    } as const;
    try {
      await this.#host.propose({ case: 'compaction', value }, this.#term());
    } catch (error) {
      // Somebody else was faster.
      if (error instanceof EtcdError && error.message === EtcdError.of('compacted').message) return;
      throw error;
    }
  }

  #setClusterVersion(onlyInTerm: number): Promise<unknown> {
    const value = {
      $typeName: 'edgetcd.ClusterVersionSet',
      version: ETCD_CLUSTER_VERSION,
    } as const;
    return this.#host.propose({ case: 'clusterVersionSet', value }, onlyInTerm);
  }

  #isRaised(alarm: AlarmType): boolean {
    const memberID = numberOfId(this.#host.memberId);
    const alarms = this.#host.machine().alarms();
    return alarms.some((one) => one.alarm === alarm && one.memberID === memberID);
  }

  async #raise(alarm: AlarmType, member: MemberId | null, onlyInTerm: number): Promise<void> {
    const memberID = member === null ? 0n : numberOfId(member);
    const action = AlarmRequest_AlarmAction.ACTIVATE;
    const value = create(AlarmRequestSchema, { action, memberID, alarm });
    this.#host.log('warn', `raising the alarm ${AlarmType[alarm]} of ${member ?? 'all'}`);
    await this.#host.propose({ case: 'alarm', value }, onlyInTerm);
  }

  /** For what only a leader decides. @throws EtcdError */
  #term(): number {
    const term = this.#host.leadsTerm();
    if (term === null) throw EtcdError.of('notLeader');
    return term;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#host.setTimer(resolve, ms));
  }

  /** Timers of any length. */
  #after(callback: () => void, ms: number): void {
    if (ms <= TIMER_MS_MAX) return this.#host.setTimer(callback, ms);
    this.#host.setTimer(() => this.#after(callback, ms - TIMER_MS_MAX), TIMER_MS_MAX);
  }
}
