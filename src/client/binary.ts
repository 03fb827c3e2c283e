import {
  FrameWriter,
  MalformedFrame,
  readBytes,
  readInteger,
  readMessage,
  skipField,
} from '../api/session-wire.ts';
import { WireReader } from '../api/wire.ts';
import { textOf, utf8 } from '../lib/bytes.ts';
import {
  emptyMessage,
  enumSchema,
  type FieldSchema,
  type Fields,
  isDefault,
  type MessageSchema,
  messageSchema,
} from './schema.ts';

/** Messages in protobuf's encoding, for sessions. */

const VARINT = 0;
const LENGTH = 2;

export function encodeBinary(schema: MessageSchema, message: Fields): Uint8Array {
  const writer = new FrameWriter();
  for (const field of schema.fields) {
    const value = message[field.property];
    if (isDefault(field, value)) continue;
    const values = field.repeated ? (value as readonly unknown[]) : [value];
    for (const each of values) writeValue(writer, field, each);
  }
  return writer.take();
}

function writeValue(writer: FrameWriter, field: FieldSchema, value: unknown): void {
  const { kind, type } = field;
  if (kind === 'b') return writer.bytes(tagOf(field, LENGTH), value as Uint8Array);
  if (kind === 's') return writer.bytes(tagOf(field, LENGTH), utf8(value as string));
  if (kind === '@') {
    return writer.bytes(tagOf(field, LENGTH), encodeBinary(messageSchema(type), value as Fields));
  }
  const isEnum = kind === '#';
  const number = isEnum ? enumSchema(type).numberByName.get(value as string) : value;
  writer.varint(tagOf(field, VARINT), BigInt(number as number | bigint | boolean));
}

function tagOf({ number }: FieldSchema, wireType: number): number {
  return number * 8 + wireType;
}

/** Byte strings are copies. @throws MalformedFrame */
export function decodeBinary(schema: MessageSchema, bytes: Uint8Array): Fields {
  return readFields(schema, new WireReader(bytes));
}

function readFields(schema: MessageSchema, reader: WireReader): Fields {
  const message = emptyMessage(schema);
  while (!reader.done) {
    const tag = reader.varint();
    const field = schema.byNumber.get(Math.floor(tag / 8));
    if (field === undefined) skipField(reader, tag);
    else if (field.repeated) readRepeated(field, tag % 8, reader, message);
    else message[field.property] = readValue(field, tag % 8, reader);
  }
  return message;
}

function readRepeated(
  field: FieldSchema,
  wireType: number,
  reader: WireReader,
  message: Record<string, unknown>,
): void {
  const items = message[field.property] as unknown[];
  const isPacked = wireType === LENGTH && !'bs@'.includes(field.kind);
  if (!isPacked) {
    items.push(readValue(field, wireType, reader));
    return;
  }
  const packed = readMessage(reader);
  while (!packed.done) items.push(readValue(field, VARINT, packed));
}

function readValue({ kind, type }: FieldSchema, wireType: number, reader: WireReader): unknown {
  const wanted = 'bs@'.includes(kind) ? LENGTH : VARINT;
  if (wireType !== wanted) throw new MalformedFrame('a field is not what it should be');
  switch (kind) {
    case 'b':
      return readBytes(reader).slice();
    case 's':
      return textOf(readBytes(reader));
    case '@':
      return readFields(messageSchema(type), readMessage(reader));
    case 't':
      return readSmall(reader) !== 0;
    case 'n':
      return readSmall(reader);
    case 'i':
      return BigInt.asIntN(64, readInteger(reader));
    case 'u':
      return readInteger(reader);
    case '#': {
      const number = readSmall(reader);
      // A name that is newer than this client.
      return enumSchema(type).nameByNumber.get(number) ?? String(number);
    }
  }
}

/** A number, by the short way where it is small and positive. */
function readSmall(reader: WireReader): number {
  const { offset } = reader;
  const small = reader.varint();
  if (small >= 0) return small;
  reader.offset = offset;
  return Number(BigInt.asIntN(64, readInteger(reader)));
}
