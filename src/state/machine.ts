import { create } from '@bufbuild/protobuf';
import { decodeCommand } from '../api/command.ts';
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
import { crc32c } from '../lib/crc32c.ts';
import { Applied } from './applied.ts';
import { NO_BUGS } from './bugs.ts';
import { Compactor } from './compaction.ts';
import { type ReplayLimits, type RevisionEvents, replay } from './event.ts';
import { GuardedStore } from './guarded_store.ts';
import { hashKv, type KvHash } from './hash.ts';
import { ALL_KEYS } from './key_range.ts';
import type { Lease } from './lease.ts';
import type { MemberInfo } from './member.ts';
import { encodeMeta, META_KEY, type Meta, readMeta } from './meta.ts';
import type { Origins } from './origins.ts';
import { execute, type Outcome, Parts } from './parts.ts';
import { rowsAt } from './picture.ts';
import { evaluateRange } from './range.ts';
import type { ApplyResult, Origin } from './result.ts';
import { type SnapshotPlace, SnapshotWriter } from './snapshot.ts';
import type { Row, StateStore, TableName } from './store.ts';
import { evaluateTxn } from './txn.ts';

/** An entry of the log: bytes at a place. */
export interface CommittedEntry {
  readonly index: number;
  readonly term: number;
  readonly data: Uint8Array;
}

/** A consistent picture of the state, read while later commands go on. */
export interface OpenSnapshot extends SnapshotPlace {
  /** The next chunk, or null after the last. */
  next(): Uint8Array | null;
  /** Lets compaction go on. */
  close(): void;
}

/** A lease and, when asked for, the keys attached to it. */
export interface LeaseInfo {
  readonly ttl: bigint;
  readonly grantedTtl: bigint;
  readonly keys: readonly Uint8Array[];
}

export interface StateStatus {
  /** Bytes of the database. */
  readonly dbSizeBytes: number;
  /** The platform reuses freed pages at once and does not tell them apart. */
  readonly dbSizeInUseBytes: number;
  readonly unflushedBytes: number;
  readonly unflushedCommands: number;
}

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
  #chain: number;
  #unflushedCommands = 0;
  #openSnapshots = 0;
  /** Only for the bug 'applied-index-apart'. */
  #metaBefore: Uint8Array | null = null;

  /** Rebuilds the machine from rows alone. @param bugs see bugs.ts; empty but in tests */
  constructor(store: StateStore, bugs: ReadonlySet<string> = NO_BUGS) {
    this.#store = new GuardedStore(store);
    this.#bugs = bugs;
    const meta = readMeta(this.#store);
    this.#parts = new Parts(this.#store, meta, bugs);
    this.#compactor = new Compactor(this.#store, this.#parts.mvcc, meta.progress, bugs);
    this.#origins = meta.origins;
    this.#appliedIndex = meta.appliedIndex;
    this.#appliedTerm = meta.appliedTerm;
    this.#chain = meta.chain;
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

  /**
   * A checksum over the outcome of every command so far: equal on all members at the same applied
   * index.
   */
  get chain(): number {
    return this.#chain;
  }

  /**
   * Applies the next committed entry, whole or not at all. Null when it has no effect by itself:
   * the entry that opens a term, or a command that was applied before.
   */
  apply({ index, term, data }: CommittedEntry): ApplyResult | null {
    assert(index === this.#appliedIndex + 1, `entry ${index} after ${this.#appliedIndex}`);
    assert(term >= this.#appliedTerm, `term ${term} after ${this.#appliedTerm}`);
    this.#appliedIndex = index;
    this.#appliedTerm = term;
    this.#unflushedCommands++;
    if (data.length === 0) return null;
    const command = decode(data);
    const origin = command === null ? NO_ORIGIN : originOf(command);
    if (command !== null && !this.#origins.accept(origin) && !this.#bugs.has('dedup-missing')) {
      return null;
    }
    const outcome = isVoid(command, term)
      ? VOID
      : execute(this.#parts, command?.request ?? { case: undefined });
    this.#extendChain(outcome);
    return new Applied(index, origin, command ?? create(CommandSchema), this.revision, outcome);
  }

  /** Enough has gathered in memory. */
  get needsFlush(): boolean {
    return (
      this.#unflushedCommands >= limits.overlayCommandsMax ||
      this.#parts.unflushedBytes >= limits.overlayBytesMax
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
  }

  /** @throws EtcdError */
  range(request: RangeRequest): RangeResponse {
    return evaluateRange(this.#parts.mvcc, request);
  }

  /** A transaction without writes (see isReadOnlyTxn), evaluated here and now. @throws EtcdError */
  readTxn(request: TxnRequest): TxnResponse {
    const { mvcc, leases, journal } = this.#parts;
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
   * a snapshot is open: it needs the versions, ask again after it is closed.
   */
  compactSlice(): boolean {
    if (!this.#compactor.pending || this.#openSnapshots > 0) return false;
    this.flush();
    this.#compactor.slice();
    this.#writeMeta();
    return this.#compactor.pending;
  }

  /** @param revision 0 for the newest. @throws EtcdError */
  hashKv(revision: number): KvHash {
    return hashKv(this.#parts.mvcc, revision);
  }

  /** All leases, by id. */
  leases(): Lease[] {
    return [...this.#parts.leases.all()];
  }

  leaseTimeToLive(id: bigint, keys: boolean): LeaseInfo | null {
    const { leases } = this.#parts;
    const lease = leases.get(id);
    if (lease === null) return null;
    return {
      ttl: lease.ttlSeconds,
      grantedTtl: lease.grantedTtlSeconds,
      keys: keys ? [...leases.keysOf(id)] : [],
    };
  }

  alarms(): readonly AlarmMember[] {
    return this.#parts.alarms.active;
  }

  /** What members have published about themselves, by id. */
  members(): readonly MemberInfo[] {
    return this.#parts.members.all;
  }

  get status(): StateStatus {
    const dbSizeBytes = this.#store.sizeBytes();
    return {
      dbSizeBytes,
      dbSizeInUseBytes: dbSizeBytes,
      unflushedBytes: this.#parts.unflushedBytes,
      unflushedCommands: this.#unflushedCommands,
    };
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
    const rows = rowsAt(mvcc, this.#store, at, captured);
    const writer = new SnapshotWriter(place, rows);
    let open = true;
    this.#openSnapshots++;
    return {
      ...place,
      next: () => {
        assert(open, 'reading a closed snapshot');
        return writer.next();
      },
      close: () => {
        if (open) this.#openSnapshots--;
        open = false;
      },
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

  #extendChain({ error, changes }: Outcome): void {
    // A few words, mixed in place: this runs for every command on every member.
    const words = [this.#appliedIndex, this.revision, error?.code ?? 0, changes.length];
    let chain = this.#chain;
    for (const word of words) chain = Math.imul(chain ^ word, 0x85ebca6b) ^ (chain >>> 15);
    for (const { content } of changes) chain = crc32c(content, chain);
    this.#chain = chain >>> 0;
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
      chain: this.#chain,
      origins: this.#origins,
    };
  }

  #writeMeta(): void {
    const now = encodeMeta(this.#meta);
    const value = this.#bugs.has('applied-index-apart') ? this.#metaBefore : now;
    this.#metaBefore = now;
    if (value !== null) this.#store.put('meta', [{ key: META_KEY, value }]);
  }
}

const NO_ORIGIN: Origin = { memberId: '', epoch: 0, sequence: 0 };

/** A command that only the leader of another term could have given (proto/command.proto). */
function isVoid(command: Command | null, term: number): boolean {
  return !!command?.onlyInTerm && command.onlyInTerm !== BigInt(term);
}

const VOID: Outcome = { response: null, error: EtcdError.of('notLeader'), changes: [] };

/** Null when the bytes are no command. */
function decode(data: Uint8Array): Command | null {
  try {
    return decodeCommand(data);
  } catch {
    return null;
  }
}

function originOf({ memberId, epoch, sequence }: Command): Origin {
  return { memberId, epoch: Number(epoch), sequence: Number(sequence) };
}
