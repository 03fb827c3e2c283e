import { create } from '@bufbuild/protobuf';
import { type Caller, NOBODY } from '../api/caller.ts';
import { EtcdError } from '../api/error.ts';
import { type Command, CommandSchema } from '../api/gen/command_pb.ts';
import type {
  AlarmMember,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from '../api/gen/rpc_pb.ts';
import { limits } from '../config.ts';
import { assert } from '../lib/assert.ts';
import { Applied } from './applied.ts';
import type { AuthReader } from './auth/auth.ts';
import type { Authorizer } from './auth/authorizer.ts';
import type { TokenReader } from './auth/tokens.ts';
import { NO_BUGS } from './bugs.ts';
import { Chain, type ChainSum } from './chain.ts';
import type { VersionInfo } from './cluster_version.ts';
import { Compactor } from './compaction.ts';
import { type CommittedEntry, decodeEntry, isVoid, NO_ORIGIN, originOf, VOID } from './entry.ts';
import { type ReplayLimits, type RevisionEvents, replay } from './event.ts';
import { GuardedStore } from './guarded_store.ts';
import { type KvHash, KvHasher } from './hash.ts';
import { ALL_KEYS } from './key_range.ts';
import type { Lease } from './lease.ts';
import type { MemberInfo, Membership } from './member.ts';
import { membershipError } from './membership.ts';
import { encodeMeta, META_KEY, type Meta, readMeta } from './meta.ts';
import type { Origins } from './origins.ts';
import { execute, Parts } from './parts.ts';
import { rowsAt } from './picture.ts';
import { evaluateRange } from './range.ts';
import type { ApplyResult, Origin } from './result.ts';
import { SnapshotClosedError, SnapshotWriter } from './snapshot.ts';
import type { Row, StateStore, TableName } from './store.ts';
import { NO_SURROUNDINGS } from './surroundings.ts';
import { evaluateTxn } from './txn.ts';
import type { V2Reader } from './v2/store.ts';
import type { LeaseInfo, OpenHash, OpenSnapshot, StateStatus } from './views.ts';

export type { CommittedEntry } from './entry.ts';
export type { LeaseInfo, OpenHash, OpenSnapshot, StateStatus } from './views.ts';

/**
 * The replicated state machine: the same entries make the same state on every member. It lives in
 * the rows of a store; what was applied since the last flush is in memory above them, and is
 * applied again after a crash, because the applied index is a row like the others.
 */
export class StateMachine {
  readonly #store: StateStore;
  readonly #parts: Parts;
  readonly #compactor: Compactor;
  readonly #origins: Origins;
  readonly #bugs: ReadonlySet<string>;
  #appliedIndex: number;
  #appliedTerm: number;
  readonly #chain: Chain;
  #unflushedCommands = 0;
  /** Readers of a fixed revision: what it needs is not removed. */
  #pins = 0;
  /** Bytes of the tables as last looked at; null when rows have been written since. */
  #sizeBytes: number | null = null;
  /** Only for the bug 'applied-index-apart'. */
  #metaBefore: Uint8Array | null = null;

  /** Rebuilds the machine from rows alone. @param bugs see bugs.ts; empty but in tests */
  constructor(store: StateStore, bugs = NO_BUGS, surroundings = NO_SURROUNDINGS) {
    this.#store = new GuardedStore(store);
    this.#bugs = bugs;
    const meta = readMeta(this.#store);
    this.#parts = new Parts(this.#store, meta, bugs, surroundings);
    this.#compactor = new Compactor(this.#store, this.#parts.mvcc, meta.progress, bugs);
    this.#origins = meta.origins;
    this.#appliedIndex = meta.appliedIndex;
    this.#appliedTerm = meta.appliedTerm;
    this.#chain = new Chain(meta.chain, meta.appliedIndex);
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  get appliedTerm(): number {
    return this.#appliedTerm;
  }

  get revision(): number {
    return this.#parts.mvcc.revision;
  }

  /** -1 before the first compaction. */
  get compactRevision(): number {
    return this.#parts.mvcc.compactRevision;
  }

  /** The last command applied of that instance of a member; 0 when there is none. */
  lastSequence(memberId: string, epoch: number): number {
    return this.#origins.lastSequence(memberId, epoch);
  }

  /** A checksum over the outcomes of commands: equal on all members at the same applied index. */
  get chain(): number {
    return this.#chain.sum.value;
  }

  /** What it was after that entry; null when that is not applied yet, or too long ago. */
  chainAt(index: number): ChainSum | null {
    return this.#chain.at(index);
  }

  /**
   * Applies the next committed entry, whole or not at all. Null when it has no effect by itself:
   * the entry that opens a term, or a command that was applied before.
   */
  apply({ index, term, data, confChange = false }: CommittedEntry): ApplyResult | null {
    const follows = index === this.#appliedIndex + 1 && term >= this.#appliedTerm;
    if (!follows) assert(false, this.#misplaced(index, term));
    this.#appliedIndex = index;
    this.#appliedTerm = term;
    this.#chain.next(index);
    this.#unflushedCommands++;
    if (data.length === 0) return null;
    const command = decodeEntry(data, this.#origins.newest);
    const origin = command === null ? NO_ORIGIN : originOf(command);
    // A change of configuration is proposed once, by a leader, and has a count of its own.
    if (command !== null && !confChange && !this.#isFresh(origin)) return null;
    const request = command?.request ?? { case: undefined };
    const outcome =
      isVoid(command, term, confChange) && !this.#bugs.has('term-binding-ignored')
        ? VOID
        : execute(this.#parts, request, command ?? undefined, index);
    this.#chain.extend(this.revision, this.#parts.auth.revision, outcome);
    if (confChange && !outcome.error) this.#parts.members.confIndex = index;
    // After an upgrade members have to begin at one place again, see chain.ts.
    if (command?.request.case === 'clusterVersionSet' && !outcome.error) this.#chain.rebase();
    return new Applied(index, origin, command ?? create(CommandSchema), this.revision, outcome);
  }

  /**
   * Enough has gathered in memory: this share of the most. Changes of members do not wait: one that
   * was removed goes as soon as somebody knows it, who must not need its vote after a restart.
   */
  needsFlush(share = 1): boolean {
    return (
      this.#unflushedCommands >= share * limits.overlayCommandsMax ||
      this.#parts.unflushedBytes >= share * limits.overlayBytesMax ||
      this.#parts.members.table.dirtyBytes > 0
    );
  }

  /**
   * Writes everything since the last flush, the applied index with it. The caller's turn is one
   * transaction.
   */
  flush(): void {
    if (this.#unflushedCommands === 0) return;
    this.#parts.flush();
    this.#writeMeta();
    this.#unflushedCommands = 0;
    this.#sizeBytes = null;
  }

  /** @throws EtcdError */
  range(request: RangeRequest, caller: Caller = NOBODY): RangeResponse {
    if (this.#parts.auth.enabled) this.#parts.authorizer.checkRange(caller, request);
    return evaluateRange(this.#parts.mvcc, request);
  }

  /** A transaction without writes (see isReadOnlyTxn), evaluated here and now. @throws EtcdError */
  readTxn(request: TxnRequest, caller: Caller = NOBODY): TxnResponse {
    const { mvcc, leases, journal, authorizer } = this.#parts;
    authorizer.checkTxn(caller, request);
    const response = evaluateTxn(mvcc, leases, request);
    assert(journal.length === 0, 'a read-only transaction has written');
    return response;
  }

  /**
   * Events of whole revisions from the given one on, at least one revision. @throws EtcdError when
   * compacted
   */
  eventsFrom(revision: number, withPrevious: boolean, budget: ReplayLimits): RevisionEvents[] {
    const { mvcc } = this.#parts;
    if (revision < mvcc.compactRevision) throw EtcdError.of('compacted');
    return replay(mvcc, revision, withPrevious, budget);
  }

  /** Rows of compacted versions may be left. */
  get compactionPending(): boolean {
    return this.#compactor.pending;
  }

  /**
   * One bounded slice of removing compacted versions; true when another would do more. False while
   * a snapshot is open or a hash is made: they need the versions, ask again later.
   */
  compactSlice(): boolean {
    if (!this.#compactor.pending || this.#pins > 0) return false;
    if (!this.#compactor.prepare()) return true;
    this.flush();
    this.#compactor.slice();
    this.#writeMeta();
    this.#sizeBytes = null;
    return this.#compactor.pending;
  }

  /** All at once, for few keys. @param revision 0 for the newest. @throws EtcdError */
  hashKv(revision: number): KvHash {
    const hasher = new KvHasher(this.#parts.mvcc, revision);
    for (;;) {
      const hash = hasher.next();
      if (hash !== null) return hash;
    }
  }

  /**
   * The same a slice at a time, commands in between. Its versions are kept until it is closed.
   * @throws EtcdError
   */
  openHash(revision: number): OpenHash {
    const hasher = new KvHasher(this.#parts.mvcc, revision);
    const close = this.#pin();
    return { next: () => hasher.next(), close };
  }

  get leaseCount(): number {
    return this.#parts.leases.count;
  }

  lease(id: bigint): Lease | null {
    return this.#parts.leases.get(id);
  }

  /** All leases, by id; or those after one of them, some at a time. */
  leases(after: bigint | null = null, countMax = Number.POSITIVE_INFINITY): Lease[] {
    return this.#parts.leases.list(after, countMax);
  }

  /** @throws EtcdError for keys that the caller must not know of */
  leaseTimeToLive(id: bigint, keys: boolean, caller: Caller = NOBODY): LeaseInfo | null {
    const { leases, authorizer } = this.#parts;
    if (keys) authorizer.checkLeaseKeys(caller, id, 'read');
    const lease = leases.get(id);
    if (lease === null) return null;
    return {
      ttl: lease.ttlSeconds,
      grantedTtl: lease.grantedTtlSeconds,
      keys: keys ? [...leases.keysOf(id)] : [],
    };
  }

  /** Users and roles, and whether anybody asks for them. */
  get auth(): AuthReader {
    return this.#parts.auth;
  }

  /** Who may read what. */
  get authorizer(): Authorizer {
    return this.#parts.authorizer;
  }

  /** What tokens are good for. */
  get tokens(): TokenReader {
    return this.#parts.tokens;
  }

  /** The tree of the v2 API. */
  get v2(): V2Reader {
    return this.#parts.v2;
  }

  alarms(): readonly AlarmMember[] {
    return this.#parts.alarms.active;
  }

  get version(): VersionInfo {
    return this.#parts.version.info;
  }

  /** Who belongs to the cluster, by id. */
  members(): readonly MemberInfo[] {
    return this.#parts.members.all;
  }

  get membership(): Membership {
    return this.#parts.members;
  }

  /** Why a change of membership would be refused if it were applied now; null: it would not. */
  membershipError(request: Command['request']): EtcdError | null {
    return membershipError(this.#parts, request);
  }

  get status(): StateStatus {
    const dbSizeBytes = this.sizeBytes;
    return {
      dbSizeBytes,
      dbSizeInUseBytes: dbSizeBytes,
      unflushedBytes: this.#parts.unflushedBytes,
      unflushedCommands: this.#unflushedCommands,
      keyCount: this.#parts.mvcc.keyCount,
      openReads: this.#pins,
      compactedVersions: this.#compactor.removedCount,
    };
  }

  /**
   * Bytes that the state takes, keys that are not written yet included. Asked for at every put: the
   * database is looked at only after rows have been written.
   */
  get sizeBytes(): number {
    this.#sizeBytes ??= this.#store.sizeBytes();
    return this.#sizeBytes + this.#parts.mvcc.unflushedBytes;
  }

  /**
   * A picture of the state as it is now, to be sent in chunks while later applies and flushes go
   * on. Flushes first: what is read lazily must be rows.
   */
  openSnapshot(): OpenSnapshot {
    this.flush();
    const place = { index: this.#appliedIndex, term: this.#appliedTerm };
    const captured = this.#captureSmallTables();
    const { mvcc } = this.#parts;
    const at = { revision: mvcc.revision, compactRevision: mvcc.compactRevision };
    const tree = this.#parts.v2.pictures.open();
    const rows = rowsAt(mvcc, this.#store, at, captured, tree.rows());
    const writer = new SnapshotWriter(place, rows);
    let open = true;
    const unpin = this.#pin();
    return {
      ...place,
      next: () => {
        if (!open) throw new SnapshotClosedError();
        return writer.next();
      },
      close: () => {
        open = false;
        unpin();
        tree.close();
      },
    };
  }

  #misplaced(index: number, term: number): string {
    return `entry ${index} of term ${term} after ${this.#appliedIndex} of ${this.#appliedTerm}`;
  }

  #isFresh(origin: Origin): boolean {
    return this.#origins.accept(origin) || this.#bugs.has('dedup-missing');
  }

  /** Keeps compacted versions until the returned function is called. */
  #pin(): () => void {
    let pinned = true;
    this.#pins++;
    return () => {
      if (pinned) this.#pins--;
      pinned = false;
    };
  }

  #captureSmallTables(): (readonly [TableName, Row])[] {
    const captured: (readonly [TableName, Row])[] = [];
    const meta: Meta = { ...this.#meta, progress: null };
    captured.push(['meta', { key: META_KEY, value: encodeMeta(meta) }]);
    for (const table of this.#parts.smallTables) {
      for (const row of table.rows(ALL_KEYS)) captured.push([table.name, row]);
    }
    return captured;
  }

  get #meta(): Meta {
    const { mvcc } = this.#parts;
    return {
      appliedIndex: this.#appliedIndex,
      appliedTerm: this.#appliedTerm,
      revision: mvcc.revision,
      compactRevision: mvcc.compactRevision,
      compactedRevision: mvcc.compactedRevision,
      progress: this.#compactor.progress,
      chain: this.#chain.sum,
      origins: this.#origins,
      confIndex: this.#parts.members.confIndex,
      keyCount: mvcc.keyCount,
    };
  }

  #writeMeta(): void {
    const now = encodeMeta(this.#meta);
    const value = this.#bugs.has('applied-index-apart') ? this.#metaBefore : now;
    this.#metaBefore = now;
    if (value !== null) this.#store.put('meta', [{ key: META_KEY, value }]);
  }
}
