import { create } from '@bufbuild/protobuf';
import { EtcdError } from '../api/error.ts';
import {
  type LeaseGrantRequest,
  type LeaseGrantResponse,
  LeaseGrantResponseSchema,
  type LeaseRevokeRequest,
  type LeaseRevokeResponse,
  LeaseRevokeResponseSchema,
} from '../api/gen/rpc_pb.ts';
import { BinaryReader, BinaryWriter } from '../lib/binary.ts';
import { EMPTY_BYTES } from '../lib/bytes.ts';
import type { Journal } from './journal.ts';
import { prefixRange } from './key_range.ts';
import type { Mvcc } from './mvcc.ts';
import { OverlayTable, type RowCodec } from './overlay_table.ts';
import type { StateStore } from './store.ts';
import { validateLeaseGrant } from './validate.ts';

/** A lease as the log knows it. When it runs out is the leader's business, not the state's. */
export interface Lease {
  readonly id: bigint;
  readonly ttlSeconds: bigint;
  readonly grantedTtlSeconds: bigint;
}

/** Rows of the table lease: the leases, and after them one row for each attached key. */
const LEASE_ROWS = 0;
const ATTACHMENT_ROWS = 1;

const BYTES_CODEC: RowCodec<Uint8Array> = {
  encode: (value) => value,
  decode: (_key, row) => row,
  sizeOf: (value) => value.length,
};

/** The leases and the keys attached to them. */
export class Leases {
  readonly table: OverlayTable<Uint8Array>;

  constructor(store: StateStore, journal: Journal) {
    this.table = new OverlayTable(store, 'lease', BYTES_CODEC, journal);
  }

  get(id: bigint): Lease | null {
    const row = this.table.get(rowKey(LEASE_ROWS, id));
    return row === null ? null : decodeLease(id, row);
  }

  /** All leases, by id. */
  *all(): Generator<Lease> {
    for (const { key, value } of this.table.entries(prefixRange(Uint8Array.of(LEASE_ROWS)))) {
      yield decodeLease(idOf(key), value);
    }
  }

  /** The attached keys, sorted. */
  *keysOf(id: bigint): Generator<Uint8Array> {
    const prefix = rowKey(ATTACHMENT_ROWS, id);
    for (const { key } of this.table.entries(prefixRange(prefix))) yield key.slice(prefix.length);
  }

  put(lease: Lease, before: Lease | null): void {
    const row = new BinaryWriter(16).int64(lease.ttlSeconds).int64(lease.grantedTtlSeconds);
    const key = rowKey(LEASE_ROWS, lease.id);
    this.table.set(key, row.finish(), before && EMPTY_BYTES);
  }

  remove(id: bigint): void {
    this.table.set(rowKey(LEASE_ROWS, id), null, EMPTY_BYTES);
  }

  /** A key leaves one lease and joins another; zero is none. */
  move(key: Uint8Array, from: bigint, to: bigint): void {
    if (from === to) return;
    if (from !== 0n) this.table.set(rowKey(ATTACHMENT_ROWS, from, key), null, EMPTY_BYTES);
    if (to !== 0n) this.table.set(rowKey(ATTACHMENT_ROWS, to, key), EMPTY_BYTES, null);
  }
}

/** @throws EtcdError for a second lease of the same id, or a TTL that is too large */
export function grantLease(leases: Leases, request: LeaseGrantRequest): LeaseGrantResponse {
  const { ID, TTL } = request;
  if (ID === 0n) throw EtcdError.of('leaseNotFound');
  validateLeaseGrant(request);
  if (leases.get(ID) !== null) throw EtcdError.of('leaseExists');
  leases.put({ id: ID, ttlSeconds: TTL, grantedTtlSeconds: TTL }, null);
  return create(LeaseGrantResponseSchema, { ID, TTL });
}

/** Deletes the attached keys, in key order and in one revision, and the lease. */
export function revokeLease(
  leases: Leases,
  mvcc: Mvcc,
  { ID }: LeaseRevokeRequest,
): LeaseRevokeResponse {
  if (leases.get(ID) === null) throw EtcdError.of('leaseNotFound');
  for (const key of [...leases.keysOf(ID)]) deleteKey(leases, mvcc, key);
  leases.remove(ID);
  return create(LeaseRevokeResponseSchema);
}

/** Deletes a key, and detaches it from its lease. False when there is no such key. */
export function deleteKey(leases: Leases, mvcc: Mvcc, key: Uint8Array): boolean {
  const old = mvcc.newest(key);
  if (old === null) return false;
  mvcc.delete(old);
  leases.move(key, old.lease, 0n);
  return true;
}

function rowKey(kind: number, id: bigint, key: Uint8Array = EMPTY_BYTES): Uint8Array {
  const row = new Uint8Array(9 + key.length);
  row[0] = kind;
  new DataView(row.buffer).setBigInt64(1, id);
  row.set(key, 9);
  return row;
}

function idOf(rowKeyBytes: Uint8Array): bigint {
  return new DataView(rowKeyBytes.buffer, rowKeyBytes.byteOffset).getBigInt64(1);
}

function decodeLease(id: bigint, row: Uint8Array): Lease {
  const reader = new BinaryReader(row);
  return { id, ttlSeconds: reader.int64(), grantedTtlSeconds: reader.int64() };
}
