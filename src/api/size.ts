import type { Message } from '@bufbuild/protobuf';
import type { PutRequest } from './gen/rpc_pb.ts';
import { type FieldPlan, type FieldType, type MessagePlan, planOf } from './plan.ts';
import { varint64Size, varintSize } from './wire.ts';

/**
 * Bytes of a message in protobuf's encoding, without encoding it: what etcd's size limits are
 * about.
 */
export function marshalledSize(message: Message): number {
  if (isPut(message)) return putSize(message);
  return messageSize(planOf(message.$typeName), message);
}

function isPut(message: Message): message is PutRequest {
  return message.$typeName === 'etcdserverpb.PutRequest' && message.$unknown === undefined;
}

/** The same for the request that comes most often, when it has no unknown fields. */
export function putSize(put: PutRequest): number {
  let size = 0;
  if (put.key.length > 0) size += prefixedSize(put.key.length);
  if (put.value.length > 0) size += prefixedSize(put.value.length);
  if (put.lease !== 0n) size += 1 + varint64Size(put.lease);
  if (put.prevKv) size += 2;
  if (put.ignoreValue) size += 2;
  if (put.ignoreLease) size += 2;
  return size;
}

/** A tag of one byte, a length, and so many bytes. */
function prefixedSize(length: number): number {
  return 1 + varintSize(length) + length;
}

function messageSize(plan: MessagePlan, message: Message): number {
  const properties = message as unknown as Readonly<Record<string, unknown>>;
  let size = 0;
  for (const { no, data } of message.$unknown ?? []) size += varintSize(no * 8) + data.length;
  for (const field of plan.fields) {
    const value = setValue(field, properties);
    if (value !== undefined) size += fieldSize(field, value);
  }
  return size;
}

/** The value that goes on the wire; undefined when the field is not set. */
function setValue(field: FieldPlan, message: Readonly<Record<string, unknown>>): unknown {
  if (field.oneof !== null) {
    const group = message[field.oneof] as { readonly case?: string; readonly value?: unknown };
    return group.case === field.localName ? group.value : undefined;
  }
  const value = message[field.localName];
  return field.repeated || field.type.kind === 'message' || !isZero(value) ? value : undefined;
}

function isZero(value: unknown): boolean {
  return !value || (value instanceof Uint8Array && value.length === 0);
}

function fieldSize(field: FieldPlan, value: unknown): number {
  const tagSize = varintSize(field.number * 8);
  if (!field.repeated) return tagSize + valueSize(field.type, value);
  const items = value as readonly unknown[];
  if (items.length === 0) return 0;
  let size = 0;
  for (const item of items) size += valueSize(field.type, item);
  return field.packed ? tagSize + varintSize(size) + size : tagSize * items.length + size;
}

/** Bytes behind the tag. */
function valueSize(type: FieldType, value: unknown): number {
  switch (type.kind) {
    case 'bytes':
      return lengthAndBytes((value as Uint8Array).length);
    case 'string':
      return lengthAndBytes(utf8Size(value as string));
    case 'message':
      return lengthAndBytes(messageSize(type.plan, value as Message));
    case 'bool':
      return 1;
    case 'uint32':
      return varintSize(value as number);
    case 'int32':
    case 'enum':
      return varint64Size(BigInt(value as number));
    case 'int64':
    case 'uint64':
      return varint64Size(value as bigint);
  }
}

function lengthAndBytes(length: number): number {
  return varintSize(length) + length;
}

function utf8Size(text: string): number {
  let size = 0;
  for (const character of text) {
    const point = character.codePointAt(0) as number;
    size += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
  }
  return size;
}
