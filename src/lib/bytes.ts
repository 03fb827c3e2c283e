/** Byte strings. etcd's keys and values are bytes, ordered as unsigned and by length on a tie. */

export const EMPTY_BYTES = new Uint8Array(0);

const encoder = new TextEncoder();
// Without the option a byte order mark at the start would be dropped: other text than was encoded.
const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Negative, zero or positive: etcd's key order, which is also SQLite's order of BLOBs. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** A copy when the view is a window of a larger buffer, so that a small value cannot pin it. */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  // Not slice(): a Buffer of Node answers that with another view.
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

/**
 * The bytes as a string of one character (0..255) per byte: a key for a Map. String order of
 * such keys is byte order.
 */
export function mapKey(bytes: Uint8Array): string {
  const length = bytes.length;
  if (length <= 1024) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  let text = '';
  for (let i = 0; i < length; i += 1024) {
    text += String.fromCharCode.apply(null, bytes.subarray(i, i + 1024) as unknown as number[]);
  }
  return text;
}

/** The inverse of {@link mapKey}. */
export function bytesOfMapKey(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** A buffer with room for so many bytes, that begins with what is used of this one. */
export function withRoom(buffer: Uint8Array, used: number, needed: number): Uint8Array {
  if (needed <= buffer.length) return buffer;
  const larger = new Uint8Array(Math.max(needed, buffer.length * 2));
  larger.set(buffer.subarray(0, used));
  return larger;
}
