import type { KeyValue } from '../api/gen/kv_pb.ts';
import { varintSize } from '../api/wire.ts';
import { assert } from '../lib/assert.ts';
import { BinaryReader, BinaryWriter } from '../lib/binary.ts';
import { EMPTY_BYTES } from '../lib/bytes.ts';
import { RecordedVersion } from './recorded_version.ts';

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
  /** Bytes of key and value. */
  readonly payloadBytes: number;
}

const DELETED = 1;
const HAS_LEASE = 2;

/** Everything but the key: a row of the tables kv and dead. */
export function encodeVersion(version: Version): Uint8Array {
  const writer = new BinaryWriter(48 + version.payloadBytes);
  writeVersion(writer, version);
  return writer.finish();
}

/** The same into a buffer that has more. */
export function writeVersion(writer: BinaryWriter, version: Version): void {
  writer.varint(version.modRevision).varint(version.sub);
  if (version instanceof RecordedVersion) {
    writer.raw(version.contentAndPrevious);
    return;
  }
  writeContent(writer, version);
  writePrevious(writer, version);
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

/** The key of the history row that begins with this place: ordered as places are. */
export function historyKey({ revision, sub }: Place): Uint8Array {
  const key = new Uint8Array(12);
  const view = new DataView(key.buffer);
  view.setBigUint64(0, BigInt(revision));
  view.setUint32(8, sub);
  return key;
}

/** The record by itself, to be packed into rows later. */
export function encodeRecord(version: Version): HistoryRecord {
  return writeRecord(new BinaryWriter(recordBytesMax(version)), version).record;
}

/** Writes the record behind those of a row. Returns the version as it is there. */
export function writeRecord(writer: BinaryWriter, draft: Version): RecordedVersion {
  const start = writer.length;
  const bodyBytes = bodyBytesOf(draft);
  writer.varint(draft.modRevision).varint(draft.sub).varint(bodyBytes);
  const body = writer.length;
  writer.bytes(draft.key);
  const content = writer.length;
  writeContent(writer, draft);
  const previous = writer.length;
  writePrevious(writer, draft);
  const end = writer.length;
  assert(end === body + bodyBytes, 'a record is as long as it says');
  return new RecordedVersion(draft, writer.buffer, { start, body, content, previous, end });
}

/** The place and the length in front, seven varints, the flags, and the lease. */
const RECORD_HEAD_BYTES_MAX = 88;

export function recordBytesMax({ payloadBytes }: Version): number {
  return RECORD_HEAD_BYTES_MAX + payloadBytes;
}

function bodyBytesOf({ key, deleted, createRevision, version, lease, value, previous }: Version) {
  const before = previous ? varintSize(previous.revision) + varintSize(previous.sub) : 1;
  const always = varintSize(key.length) + key.length + 1 + before;
  if (deleted) return always;
  const counted = varintSize(createRevision) + varintSize(version) + (lease === 0n ? 0 : 8);
  return always + counted + varintSize(value.length) + value.length;
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
  const counted = { createRevision, modRevision, sub, version, lease };
  return {
    key,
    deleted: false,
    ...counted,
    value,
    previous,
    payloadBytes: key.length + value.length,
  };
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
    payloadBytes: key.length,
  };
}

/** The same version with bytes of its own, which pin nothing else. */
export function detached(version: Version): Version {
  const { deleted, createRevision, modRevision, sub, lease, previous, payloadBytes } = version;
  return {
    key: version.key.slice(),
    deleted,
    createRevision,
    modRevision,
    sub,
    version: version.version,
    lease,
    value: version.value.slice(),
    previous,
    payloadBytes,
  };
}

export function placeOf({ modRevision, sub }: Pick<Version, 'modRevision' | 'sub'>): Place {
  return { revision: modRevision, sub };
}

/** Negative, zero or positive: the order of history. */
export function comparePlaces(a: Place, b: Place): number {
  return a.revision - b.revision || a.sub - b.sub;
}

/** What a version costs in memory and in a row, about. */
export function sizeOf(version: Version): number {
  return 64 + version.payloadBytes;
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
