import { compareBytes, EMPTY_BYTES } from '../lib/bytes.ts';
import type { KeyRange } from './store.ts';

export const ALL_KEYS: KeyRange = { start: EMPTY_BYTES, end: null };

/** The key directly after: the smallest that is greater. */
export function keyAfter(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/**
 * The range of a request: one key without an end; an end of one zero byte means all keys from `key`
 * on.
 */
export function keyRangeOf(key: Uint8Array, rangeEnd: Uint8Array): KeyRange {
  if (rangeEnd.length === 0) return { start: key, end: keyAfter(key) };
  if (isOpenEnd(rangeEnd)) return { start: key, end: null };
  return { start: key, end: rangeEnd };
}

export function isOpenEnd(rangeEnd: Uint8Array): boolean {
  return rangeEnd.length === 1 && rangeEnd[0] === 0;
}

export function isEmptyRange({ start, end }: KeyRange): boolean {
  return end !== null && compareBytes(start, end) >= 0;
}

/** All keys that begin with the prefix. */
export function prefixRange(prefix: Uint8Array): KeyRange {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] as number;
    if (byte === 0xff) continue;
    const end = prefix.slice(0, i + 1);
    end[i] = byte + 1;
    return { start: prefix, end };
  }
  return { start: prefix, end: null };
}
