import { create } from '@bufbuild/protobuf';
import { EtcdError } from '../api/error.ts';
import type { LeaseExpire } from '../api/gen/command_pb.ts';
import {
  type LeaseGrantRequest,
  type LeaseGrantResponse,
  LeaseGrantResponseSchema,
  type LeaseRevokeRequest,
  LeaseRevokeRequestSchema,
  type LeaseRevokeResponse,
  LeaseRevokeResponseSchema,
} from '../api/gen/rpc_pb.ts';
import { BinaryReader, BinaryWriter } from '../lib/binary.ts';
import { EMPTY_BYTES } from '../lib/bytes.ts';
import { NO_BUGS } from './bugs.ts';
import type { Journal } from './journal.ts';
import { keyAfter, prefixRange } from './key_range.ts';
import type { Mvcc } from './mvcc.ts';
import { OverlayTable } from './overlay_table.ts';
import { BYTES_CODEC } from './row_codec.ts';
import type { Row, StateStore } from './store.ts';
import { validateLeaseGrant } from './validate.ts';

/** A lease as the log knows it. When it runs out is the leader's business, not the state's. */
export interface Lease {
  readonly id: bigint;
  readonly ttlSeconds: bigint;
  readonly grantedTtlSeconds: bigint;
  /** Tells it from another lease that was granted under the same id before or after it. */
  readonly generation: number;
}

/**
 * Rows of the table lease: the leases, after them one row for each attached key, and at last the
 * row of {@link Totals}.
 */
const LEASE_ROWS = 0;
const ATTACHMENT_ROWS = 1;
const TOTALS_KEY = Uint8Array.of(2);

interface Totals {
  /** Leases that exist. A row, because a start must not read them all. */
  readonly count: number;
  /** Of the newest lease; they rise by one. */
  readonly generation: number;
}

/** The leases and the keys attached to them. */
export class Leases {
  readonly table: OverlayTable<Uint8Array>;

  readonly bugs: ReadonlySet<string>;

  constructor(store: StateStore, journal: Journal, bugs: ReadonlySet<string> = NO_BUGS) {
    this.bugs = bugs;
    this.table = new OverlayTable(store, 'lease', BYTES_CODEC, journal);
  }

  get(id: bigint): Lease | null {
    const row = this.table.get(rowKey(LEASE_ROWS, id));
    return row === null ? null : decodeLease(id, row);
  }

  get count(): number {
    return this.#totals.count;
  }

  /** So many leases in the order of their rows: the first, or those after one of them. */
  list(after: bigint | null, countMax: number): Lease[] {
    const { start, end } = prefixRange(Uint8Array.of(LEASE_ROWS));
    const from = after === null ? start : keyAfter(rowKey(LEASE_ROWS, after));
    const leases: Lease[] = [];
    for (const { key, value } of this.table.entries({ start: from, end })) {
      if (leases.length >= countMax) break;
      leases.push(decodeLease(idOf(key), value));
    }
    return leases;
  }

  /** The attached keys, sorted. */
  *keysOf(id: bigint): Generator<Uint8Array> {
    const prefix = rowKey(ATTACHMENT_ROWS, id);
    for (const { key } of this.table.entries(prefixRange(prefix))) yield key.slice(prefix.length);
  }

  /** A new lease. */
  add(id: bigint, ttlSeconds: bigint): void {
    const { count, generation } = this.#totals;
    this.#setTotals({ count: count + 1, generation: generation + 1 });
    const lease = { id, ttlSeconds, grantedTtlSeconds: ttlSeconds, generation: generation + 1 };
    const { key, value } = leaseRow(lease);
    this.table.set(key, value, null);
  }

  /** One that exists, and whose keys are gone. */
  remove(id: bigint): void {
    const { count, generation } = this.#totals;
    this.#setTotals({ count: count - 1, generation });
    this.table.set(rowKey(LEASE_ROWS, id), null, EMPTY_BYTES);
  }

  /** A key leaves one lease and joins another; zero is none. */
  move(key: Uint8Array, from: bigint, to: bigint): void {
    if (from === to) return;
    const keeps = this.bugs.has('lease-reattach-duplicates');
    if (from !== 0n && !keeps) {
      this.table.set(rowKey(ATTACHMENT_ROWS, from, key), null, EMPTY_BYTES);
    }
    if (to !== 0n) this.table.set(rowKey(ATTACHMENT_ROWS, to, key), EMPTY_BYTES, null);
  }

  get #totals(): Totals {
    const row = this.table.get(TOTALS_KEY);
    if (row === null) return { count: 0, generation: 0 };
    const reader = new BinaryReader(row);
    return { count: reader.varint(), generation: reader.varint() };
  }

  #setTotals({ count, generation }: Totals): void {
    const { key, value } = leaseTotalsRow(count, generation);
    this.table.set(key, value, this.table.get(key));
  }
}

/** @throws EtcdError for a second lease of the same id, or a TTL that is too large */
export function grantLease(leases: Leases, request: LeaseGrantRequest): LeaseGrantResponse {
  const { ID, TTL } = request;
  if (ID === 0n) throw EtcdError.of('leaseNotFound');
  validateLeaseGrant(request);
  if (leases.get(ID) !== null) throw EtcdError.of('leaseExists');
  leases.add(ID, TTL);
  return create(LeaseGrantResponseSchema, { ID, TTL });
}

/** Deletes the attached keys, in key order and in one revision, and the lease. */
export function revokeLease(
  leases: Leases,
  mvcc: Mvcc,
  { ID }: LeaseRevokeRequest,
): LeaseRevokeResponse {
  if (leases.get(ID) === null) throw EtcdError.of('leaseNotFound');
  for (const key of [...leases.keysOf(ID)]) {
    deleteKey(leases, mvcc, key);
    if (leases.bugs.has('lease-revoked-in-pieces')) mvcc.commit();
  }
  leases.remove(ID);
  return create(LeaseRevokeResponseSchema);
}

/**
 * The same by the leader that counted the lease's time. Only of the lease that it counted: while
 * the command was under way it may have been revoked, and its id granted again.
 */
export function expireLease(
  leases: Leases,
  mvcc: Mvcc,
  { leaseId, generation }: LeaseExpire,
): LeaseRevokeResponse {
  const isSame = leases.get(leaseId)?.generation === Number(generation);
  const isChecked = !leases.bugs.has('lease-expiry-ignores-generation');
  if (isChecked && !isSame) throw EtcdError.of('leaseNotFound');
  return revokeLease(leases, mvcc, create(LeaseRevokeRequestSchema, { ID: leaseId }));
}

/** Deletes a key, and detaches it from its lease. False when there is no such key. */
export function deleteKey(leases: Leases, mvcc: Mvcc, key: Uint8Array): boolean {
  const old = mvcc.newest(key);
  if (old === null) return false;
  mvcc.delete(old);
  leases.move(key, old.lease, 0n);
  return true;
}

export function leaseRow({ id, ttlSeconds, grantedTtlSeconds, generation }: Lease): Row {
  const row = new BinaryWriter(24).int64(ttlSeconds).int64(grantedTtlSeconds).varint(generation);
  return { key: rowKey(LEASE_ROWS, id), value: row.finish() };
}

export function attachmentRow(id: bigint, key: Uint8Array): Row {
  return { key: rowKey(ATTACHMENT_ROWS, id, key), value: EMPTY_BYTES };
}

/** How many leases there are, and the generation of the newest. */
export function leaseTotalsRow(count: number, generation: number): Row {
  const row = new BinaryWriter(12).varint(count).varint(generation);
  return { key: TOTALS_KEY, value: row.finish() };
}

/** The lease of a row of the table; null: it is another kind of row. */
export function leaseOfRow({ key, value }: Row): Lease | null {
  return key[0] === LEASE_ROWS ? decodeLease(idOf(key), value) : null;
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
  const ttlSeconds = reader.int64();
  return { id, ttlSeconds, grantedTtlSeconds: reader.int64(), generation: reader.varint() };
}
