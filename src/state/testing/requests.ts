import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { type Command, LeaseExpireSchema } from '../../api/gen/command_pb.ts';
import {
  CompactionRequestSchema,
  type Compare,
  CompareSchema,
  DeleteRangeRequestSchema,
  LeaseGrantRequestSchema,
  LeaseRevokeRequestSchema,
  PutRequestSchema,
  type RangeRequest,
  RangeRequestSchema,
  type RequestOp,
  RequestOpSchema,
  type TxnRequest,
  TxnRequestSchema,
} from '../../api/gen/rpc_pb.ts';
import { utf8 } from '../../lib/bytes.ts';

/**
 * Random requests over few keys, so that they meet. Revisions are drawn as offsets from where the
 * store is when the request is made.
 */
export type MakeRequest = (revision: bigint) => Command['request'];

const key = fc.constantFrom(
  ...['a', 'a\0', 'aa', 'b', 'ba', 'c'].map(utf8),
  Uint8Array.of(0),
  Uint8Array.of(0xff, 0xff),
);
const rangeEnd = fc.oneof(
  { weight: 3, arbitrary: fc.constant(new Uint8Array(0)) },
  { weight: 1, arbitrary: fc.constant(Uint8Array.of(0)) },
  { weight: 2, arbitrary: key },
);
const value = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('', 'x', 'y', 'some longer value').map(utf8) },
  { weight: 1, arbitrary: fc.constant(new Uint8Array(150).fill(7)) },
);
const lease = fc.constantFrom(0n, 0n, 0n, 1n, -2n, 77n);
const offset = fc.integer({ min: -6, max: 1 }).map(BigInt);
const bound = fc.option(offset, { nil: null, freq: 3 });
const at = (revision: bigint, back: bigint | null) =>
  back === null ? 0n : revision + back > 0n ? revision + back : 0n;

export const rangeRequest: fc.Arbitrary<(revision: bigint) => RangeRequest> = fc
  .record({
    key,
    rangeEnd,
    limit: fc.constantFrom(0n, 0n, 1n, 2n, 5n, -1n),
    back: fc.option(offset, { nil: null }),
    sortOrder: fc.constantFrom(0, 0, 1, 2),
    sortTarget: fc.constantFrom(0, 0, 0, 1, 2, 3, 4),
    keysOnly: fc.boolean(),
    countOnly: fc.constantFrom(false, false, true),
    bounds: fc.option(fc.tuple(bound, bound, bound, bound), { nil: null, freq: 3 }),
  })
  .map(({ back, bounds, ...fields }) => (revision) => {
    const [minMod, maxMod, minCreate, maxCreate] = bounds ?? [null, null, null, null];
    return create(RangeRequestSchema, {
      ...fields,
      revision: at(revision, back),
      minModRevision: at(revision, minMod),
      maxModRevision: at(revision, maxMod),
      minCreateRevision: at(revision, minCreate),
      maxCreateRevision: at(revision, maxCreate),
    });
  });

const putRequest = fc
  .record({
    key,
    value,
    lease,
    prevKv: fc.boolean(),
    ignoreValue: fc.constantFrom(false, false, false, true),
    ignoreLease: fc.constantFrom(false, false, false, true),
  })
  .map((fields) =>
    create(PutRequestSchema, {
      ...fields,
      value: fields.ignoreValue ? new Uint8Array(0) : fields.value,
      lease: fields.ignoreLease ? 0n : fields.lease,
    }),
  );

const deleteRequest = fc
  .record({ key, rangeEnd, prevKv: fc.boolean() })
  .map((fields) => create(DeleteRangeRequestSchema, fields));

const compare: fc.Arbitrary<(revision: bigint) => Compare> = fc
  .record({
    key,
    rangeEnd,
    result: fc.constantFrom(0, 1, 2, 3),
    target: fc.constantFrom(0, 1, 2, 3, 4),
    union: fc.constantFrom('version', 'createRevision', 'modRevision', 'value', 'lease', undefined),
    number: fc.constantFrom(0n, 1n, 2n),
    back: offset,
    value,
    matching: fc.boolean(),
  })
  .map(({ union, number, back, value: bytes, matching, ...fields }) => (revision) => {
    const unions = ['version', 'createRevision', 'modRevision', 'value', 'lease'] as const;
    const chosen = matching ? unions[fields.target] : union;
    return create(CompareSchema, { ...fields, targetUnion: targetUnion() });

    function targetUnion(): Compare['targetUnion'] {
      if (chosen === undefined) return { case: undefined };
      if (chosen === 'value') return { case: 'value', value: bytes };
      if (chosen === 'createRevision' || chosen === 'modRevision') {
        return { case: chosen, value: at(revision, back) };
      }
      return { case: chosen, value: number };
    }
  });

type MakeOp = (revision: bigint) => RequestOp;

function opRequest(depth: number): fc.Arbitrary<MakeOp> {
  const flat: fc.Arbitrary<MakeOp> = fc.oneof(
    putRequest.map(
      (value) => () => create(RequestOpSchema, { request: { case: 'requestPut', value } }),
    ),
    deleteRequest.map(
      (value) => () => create(RequestOpSchema, { request: { case: 'requestDeleteRange', value } }),
    ),
    rangeRequest.map(
      (make) => (revision: bigint) =>
        create(RequestOpSchema, { request: { case: 'requestRange', value: make(revision) } }),
    ),
  );
  if (depth === 0) return flat;
  const nested = txnRequest(depth - 1).map(
    (make) => (revision: bigint) =>
      create(RequestOpSchema, { request: { case: 'requestTxn', value: make(revision) } }),
  );
  return fc.oneof({ weight: 4, arbitrary: flat }, { weight: 1, arbitrary: nested });
}

export function txnRequest(depth: number): fc.Arbitrary<(revision: bigint) => TxnRequest> {
  const ops = fc.array(opRequest(depth), { maxLength: 4 });
  return fc
    .record({ compare: fc.array(compare, { maxLength: 2 }), success: ops, failure: ops })
    .map(
      ({ compare: compares, success, failure }) =>
        (revision) =>
          create(TxnRequestSchema, {
            compare: compares.map((make) => make(revision)),
            success: success.map((make) => make(revision)),
            failure: failure.map((make) => make(revision)),
          }),
    );
}

/** A command of any kind that the model knows. */
export const commandRequest: fc.Arbitrary<MakeRequest> = fc.oneof(
  { weight: 10, arbitrary: putRequest.map((value) => () => ({ case: 'put' as const, value })) },
  {
    weight: 4,
    arbitrary: deleteRequest.map((value) => () => ({ case: 'deleteRange' as const, value })),
  },
  {
    weight: 6,
    arbitrary: txnRequest(2).map((make) => (revision: bigint) => ({
      case: 'txn' as const,
      value: make(revision),
    })),
  },
  {
    weight: 2,
    arbitrary: offset.map((back) => (revision: bigint) => ({
      case: 'compaction' as const,
      value: create(CompactionRequestSchema, { revision: revision + back }),
    })),
  },
  {
    weight: 2,
    arbitrary: lease.map((id) => () => ({
      case: 'leaseGrant' as const,
      value: create(LeaseGrantRequestSchema, { ID: id === 0n ? 5n : id, TTL: 60n }),
    })),
  },
  {
    weight: 1,
    arbitrary: lease.map((ID) => () => ({
      case: 'leaseRevoke' as const,
      value: create(LeaseRevokeRequestSchema, { ID }),
    })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(lease, fc.bigInt({ min: 1n, max: 4n }))
      .map(([leaseId, generation]) => () => ({
        case: 'leaseExpire' as const,
        value: create(LeaseExpireSchema, { leaseId, generation }),
      })),
  },
);
