import { create } from '@bufbuild/protobuf';
import type { Command } from '../../src/api/gen/command_pb.ts';
import {
  CompactionRequestSchema,
  type Compare,
  CompareSchema,
  type DeleteRangeRequest,
  DeleteRangeRequestSchema,
  LeaseGrantRequestSchema,
  LeaseRevokeRequestSchema,
  type PutRequest,
  PutRequestSchema,
  type RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  RangeRequestSchema,
  type RequestOp,
  RequestOpSchema,
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
  type TxnRequest,
  TxnRequestSchema,
} from '../../src/api/gen/rpc_pb.ts';
import { EMPTY_BYTES, utf8 } from '../../src/lib/bytes.ts';
import { intBetween, type Prng } from '../../src/lib/prng.ts';
import { chance, pick, pickWeighted, shuffled } from './random.ts';

export type WriteRequest = Command['request'];

const LEASES = 4;
const OPEN_END = new Uint8Array([0]);

/**
 * Draws the requests of clients: few keys, so that they meet; values that are never used twice, so
 * that what took effect can be told; every kind of request, at present and past revisions.
 */
export class Requests {
  readonly #prng: Prng;
  readonly #leaseTtlMax: number;
  readonly #keys: readonly Uint8Array[];
  #values = 0;
  /** The newest revision that a client has seen: past revisions are drawn below it. */
  #seenRevision = 1;

  /** @param leaseTtlMax seconds: short ones run out, where somebody counts */
  constructor(prng: Prng, keys: number, leaseTtlMax: number) {
    this.#prng = prng;
    this.#leaseTtlMax = leaseTtlMax;
    this.#keys = Array.from({ length: keys }, (_, i) => utf8(`k${i}`));
  }

  sawRevision(revision: number): void {
    this.#seenRevision = Math.max(this.#seenRevision, revision);
  }

  write(): WriteRequest {
    const kind = pickWeighted(this.#prng, [
      ['put', 10],
      ['deleteRange', 3],
      ['txn', 6],
      ['compaction', 1],
      ['leaseGrant', 1],
      ['leaseRevoke', 0.7],
    ] as const);
    const ID = BigInt(intBetween(this.#prng, 1, LEASES));
    switch (kind) {
      case 'put':
        return { case: kind, value: this.put() };
      case 'deleteRange':
        return { case: kind, value: this.#deleteRange() };
      case 'txn':
        return { case: kind, value: this.#txn(2, this.#shuffledKeys()) };
      case 'compaction': {
        const revision = BigInt(this.#pastRevision());
        return { case: kind, value: create(CompactionRequestSchema, { revision }) };
      }
      case 'leaseGrant':
        return { case: kind, value: create(LeaseGrantRequestSchema, { ID, TTL: this.#ttl() }) };
      case 'leaseRevoke':
        return { case: kind, value: create(LeaseRevokeRequestSchema, { ID }) };
    }
  }

  put(key: Uint8Array = this.#key()): PutRequest {
    const lease = chance(this.#prng, 0.1) ? BigInt(intBetween(this.#prng, 1, LEASES)) : 0n;
    return create(PutRequestSchema, { key, value: this.#value(), lease, prevKv: this.#flip() });
  }

  /** A range for a read, linearizable or not. */
  range(): RangeRequest {
    const revision = this.#flip() ? this.#pastRevision() + intBetween(this.#prng, 0, 3) : 0;
    return this.#range(revision);
  }

  #range(revision: number): RangeRequest {
    const sorted = chance(this.#prng, 0.2);
    return create(RangeRequestSchema, {
      ...this.#interval(0.5),
      revision: BigInt(revision),
      limit: BigInt(pick(this.#prng, [0, 0, 1, 3])),
      countOnly: chance(this.#prng, 0.1),
      keysOnly: chance(this.#prng, 0.1),
      ...(sorted
        ? {
            // By a number that is different for every key: what a tie means is not promised.
            sortTarget: pick(this.#prng, [
              RangeRequest_SortTarget.KEY,
              RangeRequest_SortTarget.VALUE,
            ]),
            sortOrder: pick(this.#prng, [
              RangeRequest_SortOrder.ASCEND,
              RangeRequest_SortOrder.DESCEND,
            ]),
          }
        : {}),
    });
  }

  #deleteRange(): DeleteRangeRequest {
    return create(DeleteRangeRequestSchema, { ...this.#interval(0.2), prevKv: this.#flip() });
  }

  /** @param keys each is written at most once, as etcd wants it. */
  #txn(depth: number, keys: Uint8Array[]): TxnRequest {
    return create(TxnRequestSchema, {
      compare: Array.from({ length: intBetween(this.#prng, 0, 2) }, () => this.#compare()),
      success: this.#operations(depth, keys),
      failure: this.#operations(depth, keys),
    });
  }

  #operations(depth: number, keys: Uint8Array[]): RequestOp[] {
    const operations: RequestOp[] = [];
    for (let left = intBetween(this.#prng, 0, 3); left > 0; left--) {
      operations.push(create(RequestOpSchema, { request: this.#operation(depth, keys) }));
    }
    return operations;
  }

  #operation(depth: number, keys: Uint8Array[]): RequestOp['request'] {
    const kind = pick(this.#prng, ['put', 'put', 'delete', 'range', 'txn'] as const);
    if (kind === 'txn' && depth > 1) {
      return { case: 'requestTxn', value: this.#txn(depth - 1, keys) };
    }
    const key = kind === 'range' ? undefined : keys.pop();
    if (key === undefined) {
      const revision = chance(this.#prng, 0.4) ? this.#pastRevision() : 0;
      return { case: 'requestRange', value: this.#range(revision) };
    }
    if (kind === 'put') return { case: 'requestPut', value: this.put(key) };
    const value = create(DeleteRangeRequestSchema, { key, prevKv: this.#flip() });
    return { case: 'requestDeleteRange', value };
  }

  #compare(): Compare {
    const target = pick(this.#prng, [Target.VERSION, Target.CREATE, Target.MOD, Target.VALUE]);
    const result = pick(this.#prng, [Result.EQUAL, Result.GREATER, Result.LESS, Result.NOT_EQUAL]);
    const number = BigInt(pick(this.#prng, [0, 1, this.#pastRevision()]));
    const unionOf = (): Compare['targetUnion'] => {
      if (target === Target.VERSION) return { case: 'version', value: number };
      if (target === Target.CREATE) return { case: 'createRevision', value: number };
      if (target === Target.MOD) return { case: 'modRevision', value: number };
      return { case: 'value', value: utf8('v5') };
    };
    const { key, rangeEnd } = this.#interval(0.2);
    return create(CompareSchema, { target, result, key, rangeEnd, targetUnion: unionOf() });
  }

  #interval(wide: number): { key: Uint8Array; rangeEnd: Uint8Array } {
    if (!chance(this.#prng, wide)) return { key: this.#key(), rangeEnd: EMPTY_BYTES };
    if (this.#flip()) return { key: OPEN_END, rangeEnd: OPEN_END };
    const [a, b] = [intBetween(this.#prng, 0, 9), intBetween(this.#prng, 0, 9)];
    return { key: utf8(`k${Math.min(a, b)}`), rangeEnd: utf8(`k${Math.max(a, b)}`) };
  }

  #key(): Uint8Array {
    return pick(this.#prng, this.#keys);
  }

  #shuffledKeys(): Uint8Array[] {
    return shuffled(this.#prng, this.#keys);
  }

  #value(): Uint8Array {
    this.#values += 1;
    return utf8(`v${this.#values}`);
  }

  /** Mostly recent: what is long ago has been compacted. */
  #pastRevision(): number {
    const back = chance(this.#prng, 0.7) ? 10 : this.#seenRevision;
    return Math.max(1, this.#seenRevision - intBetween(this.#prng, 0, back));
  }

  #ttl(): bigint {
    return BigInt(intBetween(this.#prng, 1, this.#leaseTtlMax));
  }

  #flip(): boolean {
    return chance(this.#prng, 0.5);
  }
}
