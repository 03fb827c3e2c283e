import type { KeyValue } from '../api/gen/kv_pb.ts';
import { BinaryReader, BinaryWriter } from '../lib/binary.ts';
import { EMPTY_BYTES } from '../lib/bytes.ts';

/** The place of one change: the main revision, and its number inside it. */
export interface Place {
  readonly revision: number;
  readonly sub: number;
}

/** One version of a key: a put, or the deletion that ends a life of the key (its tombstone). */
export interface Version {
  readonly key: Uint8Array;
  readonly deleted: boolean;
  /** Zero for a deletion. */
  readonly createRevision: number;
  readonly modRevision: number;
  readonly sub: number;
  /** Puts since creation; zero for a deletion. */
  readonly version: number;
  readonly lease: bigint;
  readonly value: Uint8Array;
  /** The version before, in history unless compacted; null when there is none. */
  readonly previous: Place | null;
}

const DELETED = 1;
const HAS_LEASE = 2;

/** Everything but the key: a row of the tables kv and dead. */
export function encodeVersion(version: Version): Uint8Array {
  const writer = new BinaryWriter(48 + version.value.length);
  writer.varint(version.modRevision).varint(version.sub);
  writeContent(writer, version);
  writePrevious(writer, version);
  return writer.finish();
}

/** The value of the result is a view on the row. */
export function decodeVersion(key: Uint8Array, row: Uint8Array): Version {
  const reader = new BinaryReader(row);
  const place = { revision: reader.varint(), sub: reader.varint() };
  return readVersion(reader, key, place);
}

/** A version in a row of history: its place in the clear, the rest to be decoded when wanted. */
export interface HistoryRecord extends Place {
  readonly body: Uint8Array;
}

/**
 * The record of a version, and the part of it that is the same on every member: where the version
 * before is may depend on what a member has compacted.
 */
export function encodeRecord(version: Version): { record: HistoryRecord; content: Uint8Array } {
  const writer = new BinaryWriter(sizeOf(version)).bytes(version.key);
  writeContent(writer, version);
  const { length } = writer;
  writePrevious(writer, version);
  const body = writer.finish();
  const record = { revision: version.modRevision, sub: version.sub, body };
  return { record, content: body.subarray(0, length) };
}

/** Key and value of the result are views on the record. */
export function decodeRecord(record: HistoryRecord): Version {
  const reader = new BinaryReader(record.body);
  return readVersion(reader, reader.bytes(), record);
}

function writeContent(writer: BinaryWriter, version: Version): void {
  const { deleted, lease } = version;
  writer.varint((deleted ? DELETED : 0) | (lease !== 0n ? HAS_LEASE : 0));
  if (deleted) return;
  writer.varint(version.createRevision).varint(version.version);
  if (lease !== 0n) writer.int64(lease);
  writer.bytes(version.value);
}

/** Revision 0 is none: the first change of a store makes revision 2. */
function writePrevious(writer: BinaryWriter, { previous }: Version): void {
  writer.varint(previous?.revision ?? 0);
  if (previous) writer.varint(previous.sub);
}

function readVersion(reader: BinaryReader, key: Uint8Array, place: Place): Version {
  const { revision: modRevision, sub } = place;
  const flags = reader.varint();
  if (flags & DELETED) return tombstone(key, modRevision, sub, readPrevious(reader));
  const createRevision = reader.varint();
  const version = reader.varint();
  const lease = flags & HAS_LEASE ? reader.int64() : 0n;
  const value = reader.bytes();
  const previous = readPrevious(reader);
  const deleted = false;
  return { key, deleted, createRevision, modRevision, sub, version, lease, value, previous };
}

function readPrevious(reader: BinaryReader): Place | null {
  const revision = reader.varint();
  return revision === 0 ? null : { revision, sub: reader.varint() };
}

/** The version that a deletion makes. */
export function tombstone(
  key: Uint8Array,
  modRevision: number,
  sub: number,
  previous: Place | null,
): Version {
  return {
    key,
    deleted: true,
    createRevision: 0,
    modRevision,
    sub,
    version: 0,
    lease: 0n,
    value: EMPTY_BYTES,
    previous,
  };
}

export function placeOf(version: Version): Place {
  return { revision: version.modRevision, sub: version.sub };
}

/** Negative, zero or positive: the order of history. */
export function comparePlaces(a: Place, b: Place): number {
  return a.revision - b.revision || a.sub - b.sub;
}

/** What a version costs in memory and in a row, about. */
export function sizeOf(version: Version): number {
  return 64 + version.key.length + version.value.length;
}

/**
 * The message for a client. Of a deletion only key and mod_revision are set, as in etcd's events.
 * Written out: `create` costs a hundred times as much, and a range makes one for each key.
 */
export function toKeyValue(version: Version, keysOnly = false): KeyValue {
  return {
    $typeName: 'mvccpb.KeyValue',
    key: version.key,
    createRevision: BigInt(version.createRevision),
    modRevision: BigInt(version.modRevision),
    version: BigInt(version.version),
    value: keysOnly ? EMPTY_BYTES : version.value,
    lease: version.lease,
  };
}
