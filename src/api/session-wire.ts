import { varintSize, WireReader, writeVarint, writeVarint64 } from './wire.ts';

/** A frame of a session that cannot be read: its connection is closed with these words. */
export class MalformedFrame extends Error {
  override readonly name = 'MalformedFrame';
}

/** The message of a length-prefixed field. @throws MalformedFrame */
export function readMessage(reader: WireReader): WireReader {
  const end = reader.lengthEnd();
  if (end < 0) throw new MalformedFrame('the frame is cut short');
  const message = new WireReader(reader.bytes, reader.offset, end);
  reader.offset = end;
  return message;
}

/** The bytes of such a field: a view. @throws MalformedFrame */
export function readBytes(reader: WireReader): Uint8Array {
  const end = reader.lengthEnd();
  if (end < 0) throw new MalformedFrame('the frame is cut short');
  const bytes = reader.bytes.subarray(reader.offset, end);
  reader.offset = end;
  return bytes;
}

/** A number below 2^49. @throws MalformedFrame */
export function readNumber(reader: WireReader): number {
  const value = reader.varint();
  if (value < 0) throw new MalformedFrame('a number is too large or cut short');
  return value;
}

/** An unsigned integer of 64 bits. @throws MalformedFrame */
export function readInteger(reader: WireReader): bigint {
  const value = reader.varint64();
  if (value === null) throw new MalformedFrame('a number is too large or cut short');
  return value;
}

/** Passes over a field that this version does not know. @throws MalformedFrame */
export function skipField(reader: WireReader, tag: number): void {
  const wireType = tag < 0 ? -1 : tag % 8;
  let end = -1;
  if (wireType === 0 && reader.varint64() !== null) end = reader.offset;
  else if (wireType === 1) end = reader.offset + 8;
  else if (wireType === 2) end = reader.lengthEnd();
  else if (wireType === 5) end = reader.offset + 4;
  if (end < 0 || end > reader.end) throw new MalformedFrame('a field cannot be read');
  reader.offset = end;
}

/** So many bytes are asked for first: most frames fit. */
const START_BYTES = 1_024;

/** A tag, and a number of 64 bits. */
const HEAD_BYTES_MAX = 5 + 10;

/** Writes fields of a message one after the other. */
export class FrameWriter {
  #bytes: Uint8Array = new Uint8Array(START_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was written, which the writer keeps no hold of; it begins anew. */
  take(): Uint8Array {
    const written = this.#bytes.subarray(0, this.#length);
    // The next frame is likely to be as large as this one.
    this.#bytes = new Uint8Array(Math.max(START_BYTES, this.#length));
    this.#length = 0;
    return written;
  }

  /** The tag of a field that is a message, and its size; its fields follow. */
  head(tag: number, size: number): void {
    this.#reserve(size + HEAD_BYTES_MAX);
    this.#length = writeVarint(this.#bytes, this.#length, tag);
    this.#length = writeVarint(this.#bytes, this.#length, size);
  }

  /** Zero is not written. */
  number(tag: number, value: number): void {
    if (value === 0) return;
    this.#reserve(HEAD_BYTES_MAX);
    this.#length = writeVarint(this.#bytes, this.#length, tag);
    this.#length = writeVarint(this.#bytes, this.#length, value);
  }

  /** The same of 64 bits. */
  integer(tag: number, value: bigint): void {
    if (value !== 0n) this.varint(tag, value);
  }

  /** A number of 64 bits, zero or not. */
  varint(tag: number, value: bigint): void {
    this.#reserve(HEAD_BYTES_MAX);
    this.#length = writeVarint(this.#bytes, this.#length, tag);
    this.#length = writeVarint64(this.#bytes, this.#length, value);
  }

  bytes(tag: number, value: Uint8Array): void {
    this.head(tag, value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** Bytes that {@link number} writes. */
  static numberSize(value: number): number {
    return value === 0 ? 0 : 1 + varintSize(value);
  }

  /** Bytes that {@link bytes} writes for so many. */
  static bytesSize(length: number): number {
    return 1 + varintSize(length) + length;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
