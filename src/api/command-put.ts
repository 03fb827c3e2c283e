import { mapKey } from '../lib/bytes.ts';
import { blankPut } from './blank.ts';
import type { Command } from './gen/command_pb.ts';
import type { PutRequest } from './gen/rpc_pb.ts';
import { putSize } from './size.ts';
import { varint64Size, varintSize, WireReader, writeVarint, writeVarint64 } from './wire.ts';

/** Tags of proto/command.proto and of PutRequest: field number times eight and the wire type. */
const COMMAND = {
  memberId: 10,
  epoch: 16,
  sequence: 24,
  timeMs: 32,
  username: 50,
  authRevision: 56,
  internal: 64,
  put: 82,
} as const;
const PUT = {
  key: 10,
  value: 18,
  lease: 24,
  prevKv: 32,
  ignoreValue: 40,
  ignoreLease: 48,
} as const;

export type PutCommand = Command & { readonly request: { readonly case: 'put' } };

/** Whether the hand-written encoder knows the command: a put, and the names in it are ASCII. */
export function isPutCommand(command: Command): command is PutCommand {
  return (
    command.request.case === 'put' &&
    command.onlyInTerm === 0n &&
    command.$unknown === undefined &&
    command.request.value.$unknown === undefined &&
    isAscii(command.memberId) &&
    isAscii(command.username)
  );
}

export function encodePutCommand(command: PutCommand): Uint8Array {
  const { memberId, epoch, sequence, timeMs, username, authRevision, internal } = command;
  const put: PutRequest = command.request.value;
  const putBytes = putSize(put);
  let size = 1 + varintSize(putBytes) + putBytes;
  if (memberId !== '') size += 1 + varintSize(memberId.length) + memberId.length;
  if (epoch !== 0n) size += 1 + varint64Size(epoch);
  if (sequence !== 0n) size += 1 + varint64Size(sequence);
  if (timeMs !== 0n) size += 1 + varint64Size(timeMs);
  if (username !== '') size += 1 + varintSize(username.length) + username.length;
  if (authRevision !== 0n) size += 1 + varint64Size(authRevision);
  if (internal) size += 2;

  const bytes = new Uint8Array(size);
  let at = 0;
  if (memberId !== '') at = writeAscii(bytes, at, COMMAND.memberId, memberId);
  at = writeInteger(bytes, at, COMMAND.epoch, epoch);
  at = writeInteger(bytes, at, COMMAND.sequence, sequence);
  at = writeInteger(bytes, at, COMMAND.timeMs, timeMs);
  if (username !== '') at = writeAscii(bytes, at, COMMAND.username, username);
  at = writeInteger(bytes, at, COMMAND.authRevision, authRevision);
  at = writeTrue(bytes, at, COMMAND.internal, internal);
  bytes[at++] = COMMAND.put;
  at = writeVarint(bytes, at, putBytes);
  writePut(bytes, at, put);
  return bytes;
}

function writePut(bytes: Uint8Array, offset: number, put: PutRequest): void {
  let at = writeBytes(bytes, offset, PUT.key, put.key);
  at = writeBytes(bytes, at, PUT.value, put.value);
  at = writeInteger(bytes, at, PUT.lease, put.lease);
  at = writeTrue(bytes, at, PUT.prevKv, put.prevKv);
  at = writeTrue(bytes, at, PUT.ignoreValue, put.ignoreValue);
  writeTrue(bytes, at, PUT.ignoreLease, put.ignoreLease);
}

function writeInteger(bytes: Uint8Array, at: number, tag: number, value: bigint): number {
  if (value === 0n) return at;
  bytes[at] = tag;
  return writeVarint64(bytes, at + 1, value);
}

function writeTrue(bytes: Uint8Array, at: number, tag: number, value: boolean): number {
  if (!value) return at;
  bytes[at] = tag;
  bytes[at + 1] = 1;
  return at + 2;
}

function writeBytes(bytes: Uint8Array, at: number, tag: number, value: Uint8Array): number {
  if (value.length === 0) return at;
  bytes[at] = tag;
  const start = writeVarint(bytes, at + 1, value.length);
  bytes.set(value, start);
  return start + value.length;
}

function writeAscii(bytes: Uint8Array, at: number, tag: number, text: string): number {
  bytes[at] = tag;
  const start = writeVarint(bytes, at + 1, text.length);
  for (let i = 0; i < text.length; i++) bytes[start + i] = text.charCodeAt(i);
  return start + text.length;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0x80) return false;
  return true;
}

/**
 * The command, if it is a put and nothing in it is unusual; otherwise null: ask the generic
 * decoder.
 * @param likelyMemberId as of the command before: the same id again makes no new string
 */
export function decodePutCommand(bytes: Uint8Array, likelyMemberId = ''): Command | null {
  const reader = new WireReader(bytes);
  let memberId = '';
  let epoch = 0n;
  let sequence = 0n;
  let timeMs = 0n;
  let username = '';
  let authRevision = 0n;
  let internal = false;
  let put: PutRequest | null = null;
  while (!reader.done) {
    const tag = reader.bytes[reader.offset++];
    if (tag === COMMAND.put) {
      // A second put would have to be merged into the first.
      if (put !== null) return null;
      put = readPut(reader);
      if (put === null) return null;
    } else if (tag === COMMAND.memberId || tag === COMMAND.username) {
      const isMemberId = tag === COMMAND.memberId;
      const text = readAscii(reader, isMemberId ? likelyMemberId : '');
      if (text === null) return null;
      if (isMemberId) memberId = text;
      else username = text;
    } else {
      const value = reader.varint64();
      if (value === null) return null;
      if (tag === COMMAND.epoch) epoch = value;
      else if (tag === COMMAND.sequence) sequence = value;
      else if (tag === COMMAND.timeMs) timeMs = BigInt.asIntN(64, value);
      else if (tag === COMMAND.authRevision) authRevision = value;
      else if (tag === COMMAND.internal) internal = value !== 0n;
      else return null;
    }
  }
  if (put === null) return null;
  const request = { case: 'put', value: put } as const;
  return {
    $typeName: 'edgetcd.Command',
    memberId,
    epoch,
    sequence,
    timeMs,
    onlyInTerm: 0n,
    username,
    authRevision,
    internal,
    request,
  };
}

function readPut(outer: WireReader): PutRequest | null {
  const end = outer.lengthEnd();
  if (end < 0) return null;
  const reader = new WireReader(outer.bytes, outer.offset, end);
  outer.offset = end;
  return decodePut(reader);
}

/** A put whose fields are all that is left to read; null: ask the generic decoder. */
export function decodePut(reader: WireReader): PutRequest | null {
  const put = blankPut();
  while (!reader.done) if (!readPutField(reader, put)) return null;
  return put;
}

/** @returns false when the field is one that PutRequest does not have, or broken */
function readPutField(reader: WireReader, put: PutRequest): boolean {
  const tag = reader.bytes[reader.offset++];
  if (tag === PUT.key || tag === PUT.value) {
    const end = reader.lengthEnd();
    if (end < 0) return false;
    const view = reader.bytes.subarray(reader.offset, end);
    reader.offset = end;
    if (tag === PUT.key) put.key = view;
    else put.value = view;
    return true;
  }
  const value = reader.varint64();
  if (value === null) return false;
  if (tag === PUT.lease) put.lease = BigInt.asIntN(64, value);
  else if (tag === PUT.prevKv) put.prevKv = value !== 0n;
  else if (tag === PUT.ignoreValue) put.ignoreValue = value !== 0n;
  else if (tag === PUT.ignoreLease) put.ignoreLease = value !== 0n;
  else return false;
  return true;
}

function readAscii(reader: WireReader, likely: string): string | null {
  const end = reader.lengthEnd();
  if (end < 0) return null;
  if (reader.isAscii(likely, end)) {
    reader.offset = end;
    return likely;
  }
  const view = reader.bytes.subarray(reader.offset, end);
  for (const byte of view) if (byte >= 0x80) return null;
  reader.offset = end;
  return mapKey(view);
}
