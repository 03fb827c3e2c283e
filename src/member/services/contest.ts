import { create } from '@bufbuild/protobuf';
import type { KeyValue } from '../../api/gen/kv_pb.ts';
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  CompareSchema,
  DeleteRangeRequestSchema,
  PutRequestSchema,
  type RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  RangeRequestSchema,
  type RequestOp,
  RequestOpSchema,
  type TxnRequest,
  TxnRequestSchema,
  type TxnResponse,
} from '../../api/gen/rpc_pb.ts';
import { must } from '../../lib/assert.ts';
import { concatBytes, EMPTY_BYTES, utf8 } from '../../lib/bytes.ts';
import { prefixRange } from '../../state/key_range.ts';

/**
 * Locks and elections are one thing: a contest below a name. Whoever takes part puts a key of its
 * own there, which lives as long as its lease; the oldest key owns. The revision that created the
 * owner's key is the fencing token: it rises from owner to owner.
 *
 * Here is what is asked of the store and what the answers mean; nothing here waits.
 */
export interface Contender {
  /** The name and a slash. */
  readonly prefix: Uint8Array;
  readonly key: Uint8Array;
  readonly lease: bigint;
  /** That created the key: its place among the others, and the fencing token. */
  readonly revision: bigint;
}

export type Standing =
  /** Its key is the oldest, and its lease lives, both at the same revision. */
  | { readonly kind: 'owner' }
  /** Its key is gone: its lease has ended, or somebody deleted it. */
  | { readonly kind: 'out' }
  /** This key is the youngest of those before it: until it is gone nothing changes. */
  | { readonly kind: 'waits'; readonly key: Uint8Array };

/** Of what came of an {@link entryTxn}. */
export interface Entry {
  readonly contender: Contender;
  /** It took part already, with this value. */
  readonly before: Uint8Array | null;
  readonly standing: Standing | null;
}

export function prefixOf(name: Uint8Array): Uint8Array {
  return concatBytes([name, utf8('/')]);
}

/** etcd's key: the name, a slash and the lease in hexadecimal, with a sign where it is negative. */
export function keyOf(name: Uint8Array, lease: bigint): Uint8Array {
  return concatBytes([prefixOf(name), utf8(lease.toString(16))]);
}

/** Takes part, unless the lease does already; and looks who owns. */
export function entryTxn(name: Uint8Array, lease: bigint, value: Uint8Array): TxnRequest {
  const key = keyOf(name, lease);
  const owner = rangeOp(oldestOf(prefixOf(name)));
  return create(TxnRequestSchema, {
    compare: [createdAt(key, 0n)],
    success: [putOp(key, value, lease), owner],
    failure: [rangeOp(create(RangeRequestSchema, { key })), owner],
  });
}

/** What an {@link entryTxn} of the same arguments has come to. */
export function entryOf(name: Uint8Array, lease: bigint, response: TxnResponse): Entry {
  const prefix = prefixOf(name);
  const key = keyOf(name, lease);
  const [own, owner] = response.responses.map(kvsOf);
  const found = response.succeeded ? null : must(own?.[0], 'the key exists and is not found');
  const revision =
    found?.createRevision ?? must(response.header, 'a transaction without a header').revision;
  const contender = { prefix, key, lease, revision };
  const before = found?.value ?? null;
  // A key of this name that hangs on another lease, or none, is not this contender's.
  if (found && found.lease !== lease) return { contender, before, standing: { kind: 'out' } };
  const isOwner = owner?.[0]?.createRevision === revision;
  return { contender, before, standing: isOwner ? { kind: 'owner' } : null };
}

/** Looks how things stand: its own key, and the youngest of those that are older. */
export function standingTxn({ prefix, key, revision }: Contender): TxnRequest {
  const older = create(RangeRequestSchema, {
    ...youngestOf(prefix),
    maxCreateRevision: revision - 1n,
    keysOnly: true,
  });
  const own = create(RangeRequestSchema, { key, keysOnly: true });
  return create(TxnRequestSchema, { success: [rangeOp(own), rangeOp(older)] });
}

export function standingOf({ lease, revision }: Contender, response: TxnResponse): Standing {
  const [own, older] = response.responses.map(kvsOf);
  const mine = own?.[0];
  // The lease may have ended and been granted anew, and the key put again: that is another one.
  if (mine?.createRevision !== revision || mine.lease !== lease) return { kind: 'out' };
  const next = older?.[0];
  return next === undefined ? { kind: 'owner' } : { kind: 'waits', key: next.key };
}

/** Its key goes, if it is still that one, and as long as one before it is there. */
export function leaveTxn({ key, revision }: Contender, older: Uint8Array): TxnRequest {
  return create(TxnRequestSchema, {
    compare: [createdAt(key, revision), exists(older)],
    success: [deleteOp(key)],
  });
}

/** The same of an owner. */
export function resignTxn({ key, revision }: Pick<Contender, 'key' | 'revision'>): TxnRequest {
  return create(TxnRequestSchema, {
    compare: [createdAt(key, revision)],
    success: [deleteOp(key)],
  });
}

/** Another value under its key, if it is still that one. */
export function valueTxn(
  { key, lease, revision }: Pick<Contender, 'key' | 'lease' | 'revision'>,
  value: Uint8Array,
): TxnRequest {
  return create(TxnRequestSchema, {
    compare: [createdAt(key, revision)],
    success: [putOp(key, value, lease)],
  });
}

/** The owner of a contest, if there is one. */
export function ownerRange(name: Uint8Array): RangeRequest {
  return oldestOf(prefixOf(name));
}

function oldestOf(prefix: Uint8Array): RangeRequest {
  return firstOf(prefix, RangeRequest_SortOrder.ASCEND);
}

function youngestOf(prefix: Uint8Array): RangeRequest {
  return firstOf(prefix, RangeRequest_SortOrder.DESCEND);
}

function firstOf(prefix: Uint8Array, sortOrder: RangeRequest_SortOrder): RangeRequest {
  const { start: key, end } = prefixRange(prefix);
  return create(RangeRequestSchema, {
    key,
    rangeEnd: end ?? EMPTY_BYTES,
    sortOrder,
    sortTarget: RangeRequest_SortTarget.CREATE,
    limit: 1n,
  });
}

function createdAt(key: Uint8Array, revision: bigint) {
  return create(CompareSchema, {
    key,
    target: Compare_CompareTarget.CREATE,
    result: Compare_CompareResult.EQUAL,
    targetUnion: { case: 'createRevision', value: revision },
  });
}

function exists(key: Uint8Array) {
  return create(CompareSchema, {
    key,
    target: Compare_CompareTarget.CREATE,
    result: Compare_CompareResult.GREATER,
    targetUnion: { case: 'createRevision', value: 0n },
  });
}

function deleteOp(key: Uint8Array): RequestOp {
  const value = create(DeleteRangeRequestSchema, { key });
  return create(RequestOpSchema, { request: { case: 'requestDeleteRange', value } });
}

function putOp(key: Uint8Array, value: Uint8Array, lease: bigint): RequestOp {
  const put = create(PutRequestSchema, { key, value, lease });
  return create(RequestOpSchema, { request: { case: 'requestPut', value: put } });
}

function rangeOp(range: RangeRequest): RequestOp {
  return create(RequestOpSchema, { request: { case: 'requestRange', value: range } });
}

function kvsOf({ response }: TxnResponse['responses'][number]): readonly KeyValue[] {
  return response.case === 'responseRange' ? response.value.kvs : [];
}
