import { assert } from './assert.ts';
import { textOf, utf8, withRoom } from './bytes.ts';
import { crc32c } from './crc32c.ts';

/**
 * A compact binary record: unsigned varints (LEB128, up to 2^53), 64-bit integers as 8 bytes
 * little-endian, and length-prefixed byte strings.
 */
export class BinaryWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(sizeHint = 64) {
    this.#bytes = new Uint8Array(sizeHint);
  }

  get length(): number {
    return this.#length;
  }

  /** Bytes that fit before it moves to a larger buffer. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** Where it writes: to be looked at only up to `length`. */
  get buffer(): Uint8Array {
    return this.#bytes;
  }

  /** What was written so far: a view, which later writes leave as it is. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets what was written from there on. */
  rewind(length: number): void {
    assert(length <= this.#length, 'a writer goes back only');
    this.#length = length;
  }

  /** A non-negative integer up to 2^53 - 1. */
  varint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) assert(false, `not a varint: ${value}`);
    this.#reserve(8);
    const bytes = this.#bytes;
    let at = this.#length;
    let rest = value;
    // Shifts cost a tenth of divisions, and do only for numbers of 32 bits.
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest = rest <= 0xffff_ffff ? rest >>> 7 : Math.floor(rest / 0x80);
    }
    bytes[at++] = rest;
    this.#length = at;
    return this;
  }

  /** Puts the CRC-32C of all that has been written behind it, in four bytes. */
  checksum(seed: number): this {
    const value = crc32c(this.#bytes, seed, 0, this.#length);
    this.#reserve(4);
    for (let shift = 0; shift < 32; shift += 8) this.#bytes[this.#length++] = value >>> shift;
    return this;
  }

  /** A signed 64-bit integer. */
  int64(value: bigint): this {
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setBigInt64(this.#length, value, true);
    this.#length += 8;
    return this;
  }

  bytes(value: Uint8Array): this {
    return this.varint(value.length).raw(value);
  }

  /** The bytes alone: whoever reads them must know how many there are. */
  raw(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** The bytes of a {@link mapKey} alone. */
  mapKey(name: string): this {
    this.#reserve(name.length);
    for (let i = 0; i < name.length; i++) this.#bytes[this.#length++] = name.charCodeAt(i);
    return this;
  }

  text(value: string): this {
    return this.bytes(utf8(value));
  }

  /**
   * What was written; nothing may be written after it. Has a buffer of its own unless that would be
   * mostly full.
   */
  finish(): Uint8Array {
    const { buffer } = this.#bytes;
    const mostlyFull = this.#length * 8 >= buffer.byteLength * 7;
    return mostlyFull ? this.#bytes.subarray(0, this.#length) : this.#bytes.slice(0, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed > this.#bytes.length) this.#bytes = withRoom(this.#bytes, this.#length, needed);
  }
}

/** Reads what {@link BinaryWriter} wrote. @throws InvariantError past the end */
export class BinaryReader {
  readonly #bytes: Uint8Array;
  #offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes;
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  get done(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      assert(this.#offset < this.#bytes.length, 'binary record is cut short');
      const byte = this.#bytes[this.#offset++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        assert(value <= Number.MAX_SAFE_INTEGER, 'varint is too large');
        return value;
      }
      scale *= 0x80;
    }
    assert(false, 'varint is too long');
  }

  int64(): bigint {
    const offset = this.#take(8);
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset).getBigInt64(offset, true);
  }

  /** A view on the record, not a copy. */
  bytes(): Uint8Array {
    const length = this.varint();
    const offset = this.#take(length);
    return this.#bytes.subarray(offset, offset + length);
  }

  text(): string {
    return textOf(this.bytes());
  }

  /** Passes over a byte string. */
  skip(): void {
    this.#take(this.varint());
  }

  #take(length: number): number {
    const offset = this.#offset;
    assert(offset + length <= this.#bytes.length, 'binary record is cut short');
    this.#offset = offset + length;
    return offset;
  }
}
