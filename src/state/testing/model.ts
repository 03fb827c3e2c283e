import { create } from '@bufbuild/protobuf';
import { EtcdError } from '../../api/error.ts';
import type { Command } from '../../api/gen/command_pb.ts';
import {
  type Event,
  Event_EventType,
  EventSchema,
  type KeyValue,
  KeyValueSchema,
} from '../../api/gen/kv_pb.ts';
import {
  CompactionResponseSchema,
  type Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  type DeleteRangeRequest,
  DeleteRangeResponseSchema,
  LeaseGrantResponseSchema,
  LeaseRevokeResponseSchema,
  type PutRequest,
  PutResponseSchema,
  type RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type RangeResponse,
  RangeResponseSchema,
  type RequestOp,
  type ResponseHeader,
  ResponseHeaderSchema,
  type ResponseOp,
  ResponseOpSchema,
  type TxnRequest,
  type TxnResponse,
  TxnResponseSchema,
} from '../../api/gen/rpc_pb.ts';
import { compareBytes } from '../../lib/bytes.ts';

interface ModelChange {
  readonly rev: bigint;
  readonly key: Uint8Array;
  readonly kv: KeyValue | null;
}

interface State {
  /** Every change ever made, in order: nothing is packed, indexed or forgotten. */
  changes: ModelChange[];
  revision: bigint;
  compactRevision: bigint;
  leases: Map<bigint, bigint>;
  /** Of each lease, and of the newest one. */
  generations: Map<bigint, bigint>;
  generation: bigint;
}

export interface ModelOutcome {
  readonly response: object | null;
  readonly error: string | null;
}

/**
 * etcd's key space as one would explain it: a list of all changes ever made, searched from end to
 * end. Slow and obvious; the state machine is compared with it.
 */
export class Model {
  #state: State = {
    changes: [],
    revision: 1n,
    compactRevision: -1n,
    leases: new Map(),
    generations: new Map(),
    generation: 0n,
  };

  get revision(): bigint {
    return this.#state.revision;
  }

  get compactRevision(): bigint {
    return this.#state.compactRevision;
  }

  get leases(): ReadonlyMap<bigint, bigint> {
    return this.#state.leases;
  }

  clone(): Model {
    const copy = new Model();
    const { changes, leases, generations } = this.#state;
    copy.#state = {
      ...this.#state,
      changes: [...changes],
      leases: new Map(leases),
      generations: new Map(generations),
    };
    return copy;
  }

  /** @param isVoid it is bound to another term than that of its entry */
  apply(request: Command['request'], isVoid = false): ModelOutcome {
    if (isVoid) return { response: null, error: EtcdError.of('notLeader').message };
    const before = this.clone().#state;
    try {
      const response = this.#evaluate(request);
      if (this.#changed) this.#state.revision++;
      return { response, error: null };
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      this.#state = before;
      return { response: null, error: error.message };
    }
  }

  keysOfLease(id: bigint): Uint8Array[] {
    return this.#allKeys()
      .filter((key) => this.#at(key, this.#now)?.lease === id)
      .sort(compareBytes);
  }

  eventsFrom(revision: bigint): Event[] {
    const events: Event[] = [];
    for (const { rev, key, kv } of this.#state.changes) {
      if (rev < revision) continue;
      const prevKv = rev - 1n < this.#state.compactRevision ? null : this.#before(rev, key, kv);
      const type = kv === null ? Event_EventType.DELETE : Event_EventType.PUT;
      const shown = kv ?? create(KeyValueSchema, { key, modRevision: rev });
      events.push(create(EventSchema, { type, kv: shown, ...(prevKv && { prevKv }) }));
    }
    return events;
  }

  range(request: RangeRequest): RangeResponse {
    const state = this.#state;
    if (request.revision > this.#now) throw EtcdError.of('futureRevision');
    if (request.revision > 0n && request.revision < state.compactRevision) {
      throw EtcdError.of('compacted');
    }
    const all = this.#live(
      request.key,
      request.rangeEnd,
      request.revision > 0n ? request.revision : this.#now,
    );
    if (request.countOnly) return create(RangeResponseSchema, { count: BigInt(all.length) });
    let kvs = all.filter((kv) => {
      if (request.minModRevision && kv.modRevision < request.minModRevision) return false;
      if (request.maxModRevision && kv.modRevision > request.maxModRevision) return false;
      if (request.minCreateRevision && kv.createRevision < request.minCreateRevision) return false;
      return !(request.maxCreateRevision && kv.createRevision > request.maxCreateRevision);
    });
    sort(kvs, request);
    const more = request.limit > 0n && BigInt(kvs.length) > request.limit;
    if (more) kvs = kvs.slice(0, Number(request.limit));
    if (request.keysOnly) {
      kvs = kvs.map((kv) => create(KeyValueSchema, { ...kv, value: new Uint8Array(0) }));
    }
    return create(RangeResponseSchema, { kvs, more, count: BigInt(all.length) });
  }

  get #changed(): boolean {
    return this.#state.changes.at(-1)?.rev === this.#state.revision + 1n;
  }

  get #now(): bigint {
    return this.#state.revision + (this.#changed ? 1n : 0n);
  }

  #evaluate(request: Command['request']): object {
    switch (request.case) {
      case 'put':
        return this.#put(request.value);
      case 'deleteRange':
        return this.#deleteRange(request.value);
      case 'txn':
        return this.#txn(request.value);
      case 'compaction': {
        const { revision } = request.value;
        if (revision <= this.#state.compactRevision) throw EtcdError.of('compacted');
        if (revision > this.#state.revision) throw EtcdError.of('futureRevision');
        this.#state.compactRevision = revision;
        return create(CompactionResponseSchema);
      }
      case 'leaseGrant': {
        const { ID, TTL } = request.value;
        if (this.#state.leases.has(ID)) throw EtcdError.of('leaseExists');
        this.#state.leases.set(ID, TTL);
        this.#state.generations.set(ID, ++this.#state.generation);
        return create(LeaseGrantResponseSchema, { ID, TTL });
      }
      case 'leaseRevoke':
        return this.#endLease(request.value.ID);
      case 'leaseExpire': {
        const { leaseId, generation } = request.value;
        const isSame = this.#state.generations.get(leaseId) === generation;
        return this.#endLease(isSame ? leaseId : null);
      }
      default:
        throw new Error(`the model does not know ${request.case}`);
    }
  }

  #endLease(id: bigint | null) {
    if (id === null || !this.#state.leases.has(id)) throw EtcdError.of('leaseNotFound');
    for (const key of this.keysOfLease(id)) this.#change(key, null);
    this.#state.leases.delete(id);
    return create(LeaseRevokeResponseSchema);
  }

  #put(request: PutRequest) {
    this.#checkPut(request);
    const old = this.#at(request.key, this.#now);
    const rev = this.#state.revision + 1n;
    const kv = create(KeyValueSchema, {
      key: request.key,
      createRevision: old ? old.createRevision : rev,
      modRevision: rev,
      version: (old?.version ?? 0n) + 1n,
      value: request.ignoreValue && old ? old.value : request.value,
      lease: request.ignoreLease && old ? old.lease : request.lease,
    });
    this.#change(request.key, kv);
    return create(PutResponseSchema, request.prevKv && old ? { prevKv: old } : {});
  }

  #checkPut(request: PutRequest): void {
    const old = this.#at(request.key, this.#now);
    if ((request.ignoreValue || request.ignoreLease) && !old) throw EtcdError.of('keyNotFound');
    if (request.lease && !this.#state.leases.has(request.lease))
      throw EtcdError.of('leaseNotFound');
  }

  #deleteRange(request: DeleteRangeRequest) {
    const found = this.#live(request.key, request.rangeEnd, this.#now);
    for (const { key } of found) this.#change(key, null);
    return create(DeleteRangeResponseSchema, {
      deleted: BigInt(found.length),
      prevKvs: request.prevKv ? found : [],
    });
  }

  #txn(request: TxnRequest): TxnResponse {
    const chosen = new Map<TxnRequest, boolean>();
    const path: RequestOp['request'][] = [];
    const choose = (txn: TxnRequest) => {
      chosen.set(
        txn,
        txn.compare.every((compare) => this.#holds(compare)),
      );
      for (const { request: op } of chosen.get(txn) ? txn.success : txn.failure) {
        if (op.case === 'requestTxn') choose(op.value);
        else path.push(op);
      }
    };
    choose(request);
    for (const op of path) if (op.case === 'requestPut') this.#checkPut(op.value);
    for (const op of path) if (op.case === 'requestRange') this.range(op.value);
    return this.#runTxn(request, chosen);
  }

  #runTxn(txn: TxnRequest, chosen: ReadonlyMap<TxnRequest, boolean>): TxnResponse {
    const succeeded = chosen.get(txn) ?? false;
    const ops = succeeded ? txn.success : txn.failure;
    const responses = ops.map(({ request }) =>
      create(ResponseOpSchema, { response: this.#runOp(request, chosen) }),
    );
    return create(TxnResponseSchema, { succeeded, responses });
  }

  #runOp(
    op: RequestOp['request'],
    chosen: ReadonlyMap<TxnRequest, boolean>,
  ): ResponseOp['response'] {
    const answer = <T extends { header?: ResponseHeader }>(value: T): T => {
      value.header = create(ResponseHeaderSchema, { revision: this.#now });
      return value;
    };
    switch (op.case) {
      case 'requestPut':
        return { case: 'responsePut', value: answer(this.#put(op.value)) };
      case 'requestDeleteRange':
        return { case: 'responseDeleteRange', value: answer(this.#deleteRange(op.value)) };
      case 'requestRange':
        return { case: 'responseRange', value: answer(this.range(op.value)) };
      case 'requestTxn': {
        const value = this.#runTxn(op.value, chosen);
        value.header = create(ResponseHeaderSchema);
        return { case: 'responseTxn', value };
      }
      case undefined:
        throw EtcdError.of('keyNotFound');
    }
  }

  #holds(compare: Compare): boolean {
    const found = this.#live(compare.key, compare.rangeEnd, this.#now);
    const { target, targetUnion: union } = compare;
    if (found.length === 0 && target === Compare_CompareTarget.VALUE) return false;
    const kvs = found.length > 0 ? found : [create(KeyValueSchema)];
    return kvs.every((kv) => {
      const number = (name: string) => (union.case === name ? (union.value as bigint) : 0n);
      const sign = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);
      const difference = {
        [Compare_CompareTarget.VERSION]: () => sign(kv.version, number('version')),
        [Compare_CompareTarget.CREATE]: () => sign(kv.createRevision, number('createRevision')),
        [Compare_CompareTarget.MOD]: () => sign(kv.modRevision, number('modRevision')),
        [Compare_CompareTarget.LEASE]: () => sign(kv.lease, number('lease')),
        [Compare_CompareTarget.VALUE]: () =>
          compareBytes(kv.value, union.case === 'value' ? union.value : new Uint8Array(0)),
      }[target]();
      return {
        [Compare_CompareResult.EQUAL]: difference === 0,
        [Compare_CompareResult.NOT_EQUAL]: difference !== 0,
        [Compare_CompareResult.GREATER]: difference > 0,
        [Compare_CompareResult.LESS]: difference < 0,
      }[compare.result];
    });
  }

  #change(key: Uint8Array, kv: KeyValue | null): void {
    this.#state.changes.push({ rev: this.#state.revision + 1n, key, kv });
  }

  /** The live version directly before a change of the key. */
  #before(rev: bigint, key: Uint8Array, kv: KeyValue | null): KeyValue | null {
    const { changes } = this.#state;
    const at = changes.findIndex(
      (one) => one.rev === rev && one.kv === kv && compareBytes(one.key, key) === 0,
    );
    return changes.slice(0, at).findLast((one) => compareBytes(one.key, key) === 0)?.kv ?? null;
  }

  #at(key: Uint8Array, rev: bigint): KeyValue | null {
    const last = this.#state.changes.findLast(
      (one) => one.rev <= rev && compareBytes(one.key, key) === 0,
    );
    return last?.kv ?? null;
  }

  #allKeys(): Uint8Array[] {
    const keys = new Map(this.#state.changes.map(({ key }) => [key.join(), key]));
    return [...keys.values()];
  }

  #live(key: Uint8Array, rangeEnd: Uint8Array, rev: bigint): KeyValue[] {
    const open = rangeEnd.length === 1 && rangeEnd[0] === 0;
    const inside = (one: Uint8Array) => {
      if (rangeEnd.length === 0) return compareBytes(one, key) === 0;
      return compareBytes(one, key) >= 0 && (open || compareBytes(one, rangeEnd) < 0);
    };
    const kvs: KeyValue[] = [];
    for (const one of this.#allKeys().filter(inside).sort(compareBytes)) {
      const kv = this.#at(one, rev);
      if (kv) kvs.push(kv);
    }
    return kvs;
  }
}

function sort(kvs: KeyValue[], { sortOrder, sortTarget }: RangeRequest): void {
  const order = RangeRequest_SortOrder;
  if (sortOrder === order.NONE && sortTarget === RangeRequest_SortTarget.KEY) return;
  const sign = sortOrder === order.DESCEND ? -1 : 1;
  const field = {
    [RangeRequest_SortTarget.KEY]: (kv: KeyValue) => kv.key,
    [RangeRequest_SortTarget.VALUE]: (kv: KeyValue) => kv.value,
    [RangeRequest_SortTarget.VERSION]: (kv: KeyValue) => kv.version,
    [RangeRequest_SortTarget.CREATE]: (kv: KeyValue) => kv.createRevision,
    [RangeRequest_SortTarget.MOD]: (kv: KeyValue) => kv.modRevision,
  }[sortTarget];
  kvs.sort((left, right) => {
    const [a, b] = [field(left), field(right)];
    if (a instanceof Uint8Array && b instanceof Uint8Array) return sign * compareBytes(a, b);
    return sign * Number((a as bigint) - (b as bigint));
  });
}
