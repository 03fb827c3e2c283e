import type * as api from '../api/gen/messages.ts';
import { textOf } from '../lib/bytes.ts';
import type { KeySpace } from './key_space.ts';

/** A version of a key. */
export class KeyValue {
  /** The key. */
  readonly keyBytes: Uint8Array;
  /** The value; empty where only keys were asked for. */
  readonly valueBytes: Uint8Array;
  /** The revision of the put that began this life of the key. */
  readonly createRevision: number;
  /** The revision of the put that made this version. */
  readonly modRevision: number;
  /** Puts since the key was created. */
  readonly version: number;
  /** The lease that the key ends with; 0n: none. */
  readonly lease: bigint;

  constructor(kv: api.KeyValue, space: KeySpace) {
    this.keyBytes = space.local(kv.key);
    this.valueBytes = kv.value;
    this.createRevision = kv.createRevision;
    this.modRevision = kv.modRevision;
    this.version = kv.version;
    this.lease = kv.lease;
  }

  /** The key, as text. */
  get key(): string {
    return textOf(this.keyBytes);
  }

  /** The value, as text. */
  string(): string {
    return textOf(this.valueBytes);
  }

  /** The value, parsed. The caller says what it is: nothing checks it. @throws SyntaxError */
  json<T = unknown>(): T {
    return JSON.parse(this.string()) as T;
  }

  /** The value as a number; NaN when it is none. */
  number(): number {
    const text = this.string();
    return text.trim() === '' ? Number.NaN : Number(text);
  }
}
