import { concatBytes, textOf, utf8 } from '../lib/bytes.ts';

/** A key or a value as a caller writes it: text is UTF-8. */
export type Bytes = string | Uint8Array;

/** A value as a caller writes it: numbers become their decimal digits. */
export type Value = Bytes | number;

export function bytesOf(value: Value): Uint8Array {
  return value instanceof Uint8Array ? value : utf8(String(value));
}

/** Keys from `start` on up to `end`, which is not one of them. */
export interface KeyRange {
  /** The first one, whether it exists or not. */
  readonly start: Bytes;
  /** The first one behind them. */
  readonly end: Bytes;
}

/** What a request says: one key, or with an end a range. */
export interface EncodedRange {
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
}

/** The byte that etcd takes for "no bound". */
const UNBOUNDED = Uint8Array.of(0);

/** The first key behind all that begin so: the last byte that can be raised is. */
export function endOfPrefix(prefix: Uint8Array): Uint8Array {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] as number;
    if (byte === 0xff) continue;
    const end = prefix.slice(0, i + 1);
    end[i] = byte + 1;
    return end;
  }
  return UNBOUNDED;
}

/** The keys that begin with a prefix, under the names that are left without it. */
export class KeySpace {
  readonly #prefix: Uint8Array;

  constructor(prefix: Uint8Array) {
    this.#prefix = prefix;
  }

  /** The key as the cluster knows it. */
  full(key: Bytes): Uint8Array {
    const bytes = bytesOf(key);
    return this.#prefix.length === 0 ? bytes : concatBytes([this.#prefix, bytes]);
  }

  /** A key of the cluster as it is called here. */
  local(key: Uint8Array): Uint8Array {
    return key.subarray(this.#prefix.length);
  }

  key(key: Bytes): EncodedRange {
    return { key: this.full(key) };
  }

  prefix(prefix: Bytes): EncodedRange {
    const full = this.full(prefix);
    if (full.length === 0) return { key: UNBOUNDED, rangeEnd: UNBOUNDED };
    return { key: full, rangeEnd: endOfPrefix(full) };
  }

  range({ start, end }: KeyRange): EncodedRange {
    return { key: this.full(start), rangeEnd: this.full(end) };
  }

  /** Every key of the space. */
  get all(): EncodedRange {
    return this.prefix('');
  }

  /** The keys in here that begin so, as a space of their own. */
  within(prefix: Bytes): KeySpace {
    return new KeySpace(this.full(prefix));
  }

  toString(): string {
    return textOf(this.#prefix);
  }
}
