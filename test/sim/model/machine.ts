import type { ErrorName } from '../../../src/api/error.ts';
import type { Command, LeaseExpire } from '../../../src/api/gen/command_pb.ts';
import {
  type CompactionRequest,
  type Compare,
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  Compare_CompareResult as Result,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
  type TxnRequest,
} from '../../../src/api/gen/rpc_pb.ts';
import { mapKey } from '../../../src/lib/bytes.ts';
import { ModelTree } from '../../../src/state/v2/testing/model.ts';
import type { ModelAnswer } from './answer.ts';
import { type ModelRights, NO_RIGHTS, refusal, withChange } from './auth.ts';
import { ModelMembers } from './members.ts';
import { ModelStore, type ModelVersion } from './store.ts';

/** The state after an entry, as far as answers depend on it. */
export interface ModelMoment {
  readonly revision: number;
  /** -1 before the first compaction. */
  readonly compactRevision: number;
  /** Of the v2 tree. */
  readonly treeIndex: number;
}

const EVERYTHING = new Uint8Array([0]);

/** Why a command of the model ends without effect. Thrown, but no Error: nobody reads its stack. */
class ModelError {
  readonly error: ErrorName;

  constructor(error: ErrorName) {
    this.error = error;
  }
}

/** What etcd's state machine does with one command after the other, written for plainness. */
export class ModelMachine {
  readonly store = new ModelStore();
  /** That of the v2 API. */
  readonly tree = new ModelTree();
  readonly members: ModelMembers;
  /** Who may do what now. */
  rights: ModelRights = NO_RIGHTS;
  #compactRevision = -1;
  readonly #leases = new Map<bigint, number>();
  /** Leases granted so far: what tells one from another of the same id. */
  #generation = 0;
  /** The last command of each member's stream: one more application of it has no effect. */
  readonly #origins = new Map<string, { readonly epoch: bigint; readonly sequence: bigint }>();

  constructor(founders: readonly bigint[]) {
    this.members = new ModelMembers(founders);
  }

  get moment(): ModelMoment {
    const { revision } = this.store;
    const { index: treeIndex } = this.tree;
    return { revision, compactRevision: this.#compactRevision, treeIndex };
  }

  /**
   * The answer to the command in an entry of that term; null when it has been applied before, or
   * may not be any more.
   */
  apply(command: Command, term: number): ModelAnswer | null {
    const { memberId, epoch, sequence, onlyInTerm } = command;
    const last = this.#origins.get(memberId);
    const isNext =
      last === undefined ||
      epoch > last.epoch ||
      (epoch === last.epoch && sequence > last.sequence);
    if (!isNext) return null;
    this.#origins.set(memberId, { epoch, sequence });
    try {
      if (onlyInTerm !== 0n && Number(onlyInTerm) !== term) throw new ModelError('notLeader');
      const keysOf = (id: bigint) => this.keysOf(id);
      const refused = refusal(this.rights, command, command.request, keysOf);
      if (refused !== null) throw new ModelError(refused);
      const answer = this.#execute(command.request, Number(command.timeMs));
      this.store.commit();
      return answer;
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      this.store.rollback();
      return { type: 'error', error: error.error };
    }
  }

  /** A change of members comes in an entry of its own kind, and is proposed once. */
  changeMembers(request: Command['request']): ModelAnswer {
    const error = this.members.change(request);
    return error === null ? { type: 'done' } : { type: 'error', error };
  }

  /** The leases that exist, by id. */
  get leases(): bigint[] {
    return [...this.#leases.keys()].sort((a, b) => order(a, b));
  }

  /** The keys that are attached to the lease, sorted. */
  keysOf(id: bigint): string[] {
    const live = this.store.range(EVERYTHING, EVERYTHING, this.store.revision);
    return live.filter(({ lease }) => lease === id).map(({ key }) => key);
  }

  /** The answer to a range that is read outside the log, when the state was at that moment. */
  range(request: RangeRequest, moment: ModelMoment): ModelAnswer {
    try {
      return this.#range(request, moment);
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      return { type: 'error', error: error.error };
    }
  }

  #execute(request: Command['request'], timeMs: number): ModelAnswer {
    switch (request.case) {
      case 'put':
        return this.#put(request.value);
      case 'deleteRange':
        return this.#delete(request.value);
      case 'txn':
        return this.#txn(request.value);
      case 'compaction':
        return this.#compact(request.value);
      case 'leaseGrant':
        if (this.#leases.has(request.value.ID)) throw new ModelError('leaseExists');
        this.#leases.set(request.value.ID, ++this.#generation);
        return { type: 'done' };
      case 'leaseRevoke':
        return this.#revoke(request.value.ID);
      case 'leaseExpire':
        return this.#expire(request.value);
      case 'v2Change':
        return { type: 'tree', outcome: this.tree.apply(request.value) };
      case 'v2Expire':
        this.tree.expire(timeMs, request.value.countMax);
        return { type: 'done' };
      default:
        return request.case?.startsWith('auth') ? this.#changeRights(request) : { type: 'done' };
    }
  }

  #changeRights(request: Command['request']): ModelAnswer {
    const changed = withChange(this.rights, request);
    if (changed === null) return { type: 'refused' };
    this.rights = changed;
    return { type: 'done' };
  }

  #put(request: PutRequest): ModelAnswer {
    this.#checkLease(request.lease);
    const previous = this.store.put(mapKey(request.key), request.value, request.lease);
    return { type: 'put', previous: request.prevKv ? previous : null };
  }

  #delete(request: DeleteRangeRequest): ModelAnswer {
    const { key, rangeEnd, prevKv } = request;
    const found = this.store.range(key, rangeEnd, this.store.visibleRevision);
    for (const version of found) this.store.delete(version.key);
    return { type: 'delete', deleted: found.length, previous: prevKv ? found : [] };
  }

  #compact({ revision }: CompactionRequest): ModelAnswer {
    if (Number(revision) <= this.#compactRevision) throw new ModelError('compacted');
    if (Number(revision) > this.store.revision) throw new ModelError('futureRevision');
    this.#compactRevision = Number(revision);
    return { type: 'done' };
  }

  /** All keys of the lease go in one revision. */
  #revoke(id: bigint): ModelAnswer {
    if (!this.#leases.delete(id)) throw new ModelError('leaseNotFound');
    for (const key of this.keysOf(id)) this.store.delete(key);
    return { type: 'done' };
  }

  /** Only the very lease that the leader has counted. */
  #expire({ leaseId, generation }: LeaseExpire): ModelAnswer {
    const isSame = this.#leases.get(leaseId) === Number(generation);
    if (!isSame) throw new ModelError('leaseNotFound');
    return this.#revoke(leaseId);
  }

  /**
   * etcd evaluates every comparison, those of nested transactions too, before anything is changed.
   */
  #chooseBranches(txn: TxnRequest): Branch {
    const succeeded = txn.compare.every((compare) => this.#compare(compare));
    const ops = succeeded ? txn.success : txn.failure;
    const nested = ops.map(({ request }) =>
      request.case === 'requestTxn' ? this.#chooseBranches(request.value) : null,
    );
    return { succeeded, ops, nested };
  }

  #txn(request: TxnRequest): ModelAnswer {
    const branch = this.#chooseBranches(request);
    // Refused as a whole: all puts are looked at before all ranges, and nothing has happened yet.
    for (const op of operationsOf(branch)) {
      if (op.case === 'requestPut') this.#checkLease(op.value.lease);
    }
    for (const op of operationsOf(branch)) {
      if (op.case === 'requestRange') this.#checkRevision(op.value, this.moment);
    }
    return this.#run(branch);
  }

  #run({ succeeded, ops, nested }: Branch): ModelAnswer {
    const answers = ops.map((op, i) => this.#operation(op, nested[i] ?? null));
    return { type: 'txn', succeeded, answers };
  }

  #operation({ request }: RequestOp, branch: Branch | null): ModelAnswer {
    switch (request.case) {
      case 'requestRange':
        return this.#range(request.value, {
          ...this.moment,
          revision: this.store.visibleRevision,
        });
      case 'requestPut':
        return this.#put(request.value);
      case 'requestDeleteRange':
        return this.#delete(request.value);
      case 'requestTxn':
        if (branch !== null) return this.#run(branch);
    }
    throw new Error('the workload made an empty operation');
  }

  #range(request: RangeRequest, moment: ModelMoment): ModelAnswer {
    this.#checkRevision(request, moment);
    const wanted = request.revision > 0n ? Number(request.revision) : moment.revision;
    const found = this.store.range(request.key, request.rangeEnd, wanted);
    const count = found.length;
    const { keysOnly } = request;
    if (request.countOnly) return { type: 'range', kvs: [], more: false, count, keysOnly };
    sortVersions(found, request);
    const limit = request.limit > 0n ? Number(request.limit) : count;
    return { type: 'range', kvs: found.slice(0, limit), more: count > limit, count, keysOnly };
  }

  #checkLease(lease: bigint): void {
    if (lease !== 0n && !this.#leases.has(lease)) throw new ModelError('leaseNotFound');
  }

  #checkRevision(request: RangeRequest, { revision, compactRevision }: ModelMoment): void {
    const wanted = request.revision > 0n ? Number(request.revision) : revision;
    if (wanted > revision) throw new ModelError('futureRevision');
    if (wanted < compactRevision) throw new ModelError('compacted');
  }

  #compare(compare: Compare): boolean {
    const { key, rangeEnd } = compare;
    const found = this.store.range(key, rangeEnd, this.store.revision);
    if (found.length > 0) return found.every((version) => compareVersion(compare, version));
    // Of a key that does not exist everything is zero, but it has no value to compare with.
    return compare.targetUnion.case !== 'value' && compareVersion(compare, null);
  }
}

/** Which operations of a transaction run. */
interface Branch {
  readonly succeeded: boolean;
  readonly ops: readonly RequestOp[];
  readonly nested: readonly (Branch | null)[];
}

/** Every operation that runs, those of nested transactions in their place. */
function* operationsOf({ ops, nested }: Branch): Generator<RequestOp['request']> {
  for (const [i, op] of ops.entries()) {
    const branch = nested[i] ?? null;
    if (branch === null) yield op.request;
    else yield* operationsOf(branch);
  }
}

function sortVersions(versions: ModelVersion[], { sortTarget, sortOrder }: RangeRequest): void {
  const sign = sortOrder === SortOrder.DESCEND ? -1 : 1;
  const by = (version: ModelVersion): number | string => {
    if (sortTarget === SortTarget.VERSION) return version.version;
    if (sortTarget === SortTarget.CREATE) return version.createRevision;
    if (sortTarget === SortTarget.MOD) return version.modRevision;
    if (sortTarget === SortTarget.VALUE) return mapKey(version.value ?? new Uint8Array(0));
    return version.key;
  };
  versions.sort((a, b) => sign * order(by(a), by(b)));
}

function order<T extends number | string | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareVersion({ result, targetUnion }: Compare, version: ModelVersion | null): boolean {
  const found = difference(targetUnion, version);
  if (result === Result.EQUAL) return found === 0;
  if (result === Result.NOT_EQUAL) return found !== 0;
  return result === Result.GREATER ? found > 0 : found < 0;
}

/** How what is stored compares with what the request names. */
function difference(target: Compare['targetUnion'], version: ModelVersion | null): number {
  switch (target.case) {
    case 'version':
      return order(BigInt(version?.version ?? 0), target.value);
    case 'createRevision':
      return order(BigInt(version?.createRevision ?? 0), target.value);
    case 'modRevision':
      return order(BigInt(version?.modRevision ?? 0), target.value);
    case 'lease':
      return order(version?.lease ?? 0n, target.value);
    case 'value':
      return order(mapKey(version?.value ?? new Uint8Array(0)), mapKey(target.value));
    case undefined:
      throw new Error('the workload made an empty comparison');
  }
}
