import type { DescMessage } from '@bufbuild/protobuf';
import { fromBinary, type Message, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { EMPTY_BYTES, utf8 } from '../lib/bytes.ts';
import { messageOf } from '../lib/error.ts';
import { decodePut } from './command-put.ts';
import { ERRORS, EtcdError } from './error.ts';
import type { Event, KeyValue } from './gen/kv_pb.ts';
import {
  type PutRequest,
  PutRequestSchema,
  type PutResponse,
  type RangeRequest,
  RangeRequestSchema,
  type RangeResponse,
  type ResponseHeader,
  type WatchResponse,
} from './gen/rpc_pb.ts';
import { varint64Size, varintSize, WireReader, writeVarint, writeVarint64 } from './wire.ts';

/**
 * Messages in protobuf's encoding. The requests and answers that come most often are read and
 * written by hand, ten times as fast; whatever is unusual is left to the generic codec.
 */

/** A request from its bytes, which it may refer to. @throws EtcdError when they are none */
export function decodeBinary<Schema extends DescMessage>(
  schema: Schema,
  bytes: Uint8Array,
): MessageShape<Schema> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    const [code, text] = ERRORS.unreadableRequest;
    throw new EtcdError(code, `${text}: ${messageOf(error)}`);
  }
}

/** @throws EtcdError */
export function decodeBinaryPut(bytes: Uint8Array): PutRequest {
  return decodePut(new WireReader(bytes)) ?? decodeBinary(PutRequestSchema, bytes);
}

/** @throws EtcdError */
export function decodeBinaryRange(bytes: Uint8Array): RangeRequest {
  return decodeRange(new WireReader(bytes)) ?? decodeBinary(RangeRequestSchema, bytes);
}

export function encodeBinary<Schema extends DescMessage>(
  schema: Schema,
  message: MessageShape<Schema>,
): Uint8Array {
  if (isPut(message)) return encodePut(message);
  if (isRange(message)) return encodeRange(message);
  if (isWatch(message)) return encodeWatch(message);
  return toBinary(schema, message);
}

function isPut(message: Message): message is PutResponse {
  return message.$typeName === 'etcdserverpb.PutResponse';
}

function isRange(message: Message): message is RangeResponse {
  return message.$typeName === 'etcdserverpb.RangeResponse';
}

function isWatch(message: Message): message is WatchResponse {
  return message.$typeName === 'etcdserverpb.WatchResponse';
}

/** Tags: field number times eight and the wire type. */
const RANGE = { key: 10, rangeEnd: 18, limit: 24, revision: 32, serializable: 56, keysOnly: 64 };

function decodeRange(reader: WireReader): RangeRequest | null {
  const range: RangeRequest = {
    $typeName: 'etcdserverpb.RangeRequest',
    key: EMPTY_BYTES,
    rangeEnd: EMPTY_BYTES,
    limit: 0n,
    revision: 0n,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0n,
    maxModRevision: 0n,
    minCreateRevision: 0n,
    maxCreateRevision: 0n,
  };
  while (!reader.done) {
    const tag = reader.bytes[reader.offset++];
    if (tag === RANGE.key || tag === RANGE.rangeEnd) {
      const end = reader.lengthEnd();
      if (end < 0) return null;
      const view = reader.bytes.subarray(reader.offset, end);
      reader.offset = end;
      if (tag === RANGE.key) range.key = view;
      else range.rangeEnd = view;
      continue;
    }
    const value = reader.varint();
    if (value < 0) return null;
    if (tag === RANGE.limit) range.limit = BigInt(value);
    else if (tag === RANGE.revision) range.revision = BigInt(value);
    else if (tag === RANGE.serializable) range.serializable = value !== 0;
    else if (tag === RANGE.keysOnly) range.keysOnly = value !== 0;
    else return null;
  }
  return range;
}

function encodePut({ header, prevKv }: PutResponse): Uint8Array {
  const writer = new MessageWriter(
    messageSize(header, headerSize) + messageSize(prevKv, keyValueSize),
  );
  if (header !== undefined) writeHeader(writer, header);
  if (prevKv !== undefined) writeKeyValue(writer, 18, prevKv);
  return writer.bytes;
}

function encodeRange({ header, kvs, more, count }: RangeResponse): Uint8Array {
  let size = messageSize(header, headerSize) + (more ? 2 : 0) + integerSize(count);
  for (const kv of kvs) size += messageSize(kv, keyValueSize);
  const writer = new MessageWriter(size);
  if (header !== undefined) writeHeader(writer, header);
  for (const kv of kvs) writeKeyValue(writer, 18, kv);
  writer.flag(24, more);
  writer.integer(32, count);
  return writer.bytes;
}

const SHARED_BYTES = Symbol('the bytes of an event that is sent to many');

/** Watchers are sent the same events: the bytes are made once, and kept with them. */
function eventBytes(event: Event & { [SHARED_BYTES]?: Uint8Array }): Uint8Array {
  event[SHARED_BYTES] ??= encodeEvent(event);
  return event[SHARED_BYTES];
}

function encodeEvent({ type, kv, prevKv }: Event): Uint8Array {
  const size =
    integerSize(BigInt(type)) + messageSize(kv, keyValueSize) + messageSize(prevKv, keyValueSize);
  const writer = new MessageWriter(size);
  writer.integer(8, BigInt(type));
  if (kv !== undefined) writeKeyValue(writer, 18, kv);
  if (prevKv !== undefined) writeKeyValue(writer, 26, prevKv);
  return writer.bytes;
}

function encodeWatch(response: WatchResponse): Uint8Array {
  const { header, watchId, created, canceled, compactRevision, fragment, events } = response;
  const reason = utf8(response.cancelReason);
  const encoded = events.map(eventBytes);
  let size = messageSize(header, headerSize) + integerSize(watchId) + integerSize(compactRevision);
  size += (created ? 2 : 0) + (canceled ? 2 : 0) + (fragment ? 2 : 0) + bytesSize(reason.length);
  for (const { length } of encoded) size += 1 + varintSize(length) + length;
  const writer = new MessageWriter(size);
  if (header !== undefined) writeHeader(writer, header);
  writer.integer(16, watchId);
  writer.flag(24, created);
  writer.flag(32, canceled);
  writer.integer(40, compactRevision);
  writer.bytesField(50, reason);
  writer.flag(56, fragment);
  for (const event of encoded) writer.message(90, event);
  return writer.bytes;
}

function headerSize({ clusterId, memberId, revision, raftTerm }: ResponseHeader): number {
  return (
    integerSize(clusterId) + integerSize(memberId) + integerSize(revision) + integerSize(raftTerm)
  );
}

function writeHeader(writer: MessageWriter, header: ResponseHeader): void {
  writer.head(10, headerSize(header));
  writer.integer(8, header.clusterId);
  writer.integer(16, header.memberId);
  writer.integer(24, header.revision);
  writer.integer(32, header.raftTerm);
}

function keyValueSize(kv: KeyValue): number {
  return (
    bytesSize(kv.key.length) +
    integerSize(kv.createRevision) +
    integerSize(kv.modRevision) +
    integerSize(kv.version) +
    bytesSize(kv.value.length) +
    integerSize(kv.lease)
  );
}

function writeKeyValue(writer: MessageWriter, tag: number, kv: KeyValue): void {
  writer.head(tag, keyValueSize(kv));
  writer.bytesField(10, kv.key);
  writer.integer(16, kv.createRevision);
  writer.integer(24, kv.modRevision);
  writer.integer(32, kv.version);
  writer.bytesField(42, kv.value);
  writer.integer(48, kv.lease);
}

/** Bytes of a field that is a message, or none. */
function messageSize<M>(message: M | undefined, sizeOf: (message: M) => number): number {
  if (message === undefined) return 0;
  const size = sizeOf(message);
  return 1 + varintSize(size) + size;
}

function integerSize(value: bigint): number {
  return value === 0n ? 0 : 1 + varint64Size(value);
}

function bytesSize(length: number): number {
  return length === 0 ? 0 : 1 + varintSize(length) + length;
}

/** Writes a message whose size is known. Fields that are zero are left out. */
class MessageWriter {
  readonly bytes: Uint8Array;
  #at = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  head(tag: number, size: number): void {
    this.bytes[this.#at] = tag;
    this.#at = writeVarint(this.bytes, this.#at + 1, size);
  }

  integer(tag: number, value: bigint): void {
    if (value === 0n) return;
    this.bytes[this.#at] = tag;
    this.#at = writeVarint64(this.bytes, this.#at + 1, value);
  }

  flag(tag: number, value: boolean): void {
    if (!value) return;
    this.bytes[this.#at++] = tag;
    this.bytes[this.#at++] = 1;
  }

  bytesField(tag: number, value: Uint8Array): void {
    if (value.length > 0) this.message(tag, value);
  }

  /** Empty ones too. */
  message(tag: number, value: Uint8Array): void {
    this.head(tag, value.length);
    this.bytes.set(value, this.#at);
    this.#at += value.length;
  }
}
