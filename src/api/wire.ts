import { assert } from '../lib/assert.ts';

/** Protobuf's varints, for the places where the generic codec is too slow. */

/** Bytes of a varint below 2^53. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  let size = 5;
  for (let rest = Math.floor(value / 0x8_0000_0000); rest > 0; rest = Math.floor(rest / 0x80)) {
    size++;
  }
  return size;
}

/** Bytes of a 64-bit integer; negative ones take ten, as two's complement. */
export function varint64Size(value: bigint): number {
  if (value >= 0n && value <= SAFE_MAX) return varintSize(Number(value));
  // Beyond 2^53 there are eight, nine or ten: 7 times 7 bits lie below the ones that decide.
  const upper = Number(BigInt.asUintN(64, value) >> 49n);
  return 7 + varintSize(upper);
}

const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);
/** Of a varint's first seven bytes. */
const LOWER_BITS = (1n << 49n) - 1n;

/** @returns the offset behind what was written */
export function writeVarint(bytes: Uint8Array, offset: number, value: number): number {
  let at = offset;
  let rest = value;
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest = rest < 0x8000_0000 ? rest >>> 7 : Math.floor(rest / 0x80);
  }
  bytes[at++] = rest;
  return at;
}

/** @returns the offset behind what was written */
export function writeVarint64(bytes: Uint8Array, offset: number, value: bigint): number {
  if (value >= 0n && value <= SAFE_MAX) return writeVarint(bytes, offset, Number(value));
  // In two halves, because arithmetic with bigints costs ten times as much.
  const bits = BigInt.asUintN(64, value);
  let lower = Number(bits & LOWER_BITS);
  for (let at = offset; at < offset + 7; at++) {
    bytes[at] = (lower % 0x80) | 0x80;
    lower = Math.floor(lower / 0x80);
  }
  return writeVarint(bytes, offset + 7, Number(bits >> 49n));
}

/** Reads what it knows and says so when it meets anything else. */
export class WireReader {
  readonly bytes: Uint8Array;
  offset: number;
  readonly end: number;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    assert(end <= bytes.length, 'a reader stays within its bytes');
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
  }

  get done(): boolean {
    return this.offset === this.end;
  }

  /** A varint below 2^49; -1 when it is larger or cut short. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 7 && this.offset < this.end; i++) {
      const byte = this.bytes[this.offset++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    return -1;
  }

  /** A 64-bit integer as its unsigned value; null when it is too long or cut short. */
  varint64(): bigint | null {
    const start = this.offset;
    const small = this.varint();
    if (small >= 0) return BigInt(small);
    this.offset = start;
    let value = 0n;
    for (let shift = 0n; shift < 70n && this.offset < this.end; shift += 7n) {
      const byte = this.bytes[this.offset++] as number;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    return null;
  }

  /** Whether the bytes up to `end` are that text, which is ASCII. */
  isAscii(text: string, end: number): boolean {
    if (text.length !== end - this.offset) return false;
    for (let i = 0; i < text.length; i++) {
      if (text.charCodeAt(i) !== this.bytes[this.offset + i]) return false;
    }
    return true;
  }

  /**
   * The end of a length-prefixed field, whose first byte is at `offset` afterwards; -1 when cut
   * short.
   */
  lengthEnd(): number {
    const length = this.varint();
    const end = this.offset + length;
    return length < 0 || end > this.end ? -1 : end;
  }
}
