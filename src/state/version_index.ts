import { crc32c } from '../lib/crc32c.ts';
import type { Version } from './version.ts';

/** What a put has to know of the live version that it replaces. */
export type VersionSummary = Pick<
  Version,
  'createRevision' | 'modRevision' | 'sub' | 'version' | 'lease'
>;

/** What is known of a version, where all of it is. */
export function wholeOf(version: VersionSummary | Version | null): Version | null {
  return version !== null && 'value' in version ? version : null;
}

/** The offset of the next entry in the chain. */
const NEXT = 0;
const KEY_BYTES = 4;
const SUB = 6;
const VERSION = 8;
const CREATE_REVISION = 12;
const MOD_REVISION = 18;
const KEY = 24;

const FIRST_BYTES = 64 * 1024;
/** An entry and its place in a chain take about so much. */
const ENTRY_BYTES = 48;
/** Longer chains are cut: keys that share a checksum are easily made. */
const CHAIN_MAX = 16;
/** Offsets begin at 1: memory that nobody has written is full of zeros, and takes no place. */
const START = 1;
const NONE = 0;

/**
 * Summaries of the newest versions of as many keys as fit, so that a put need not read what it
 * replaces: etcd keeps those of all keys in memory (its keyIndex). They are in two buffers, which
 * cost a collector of garbage nothing. One is a ring of entries, of which those written first make
 * room for others; the other begins the chains of entries with equal checksums.
 *
 * Only versions without a lease have an entry. What has none has to be read.
 */
export class VersionIndex {
  readonly #bytesMax: number;
  /** Offsets of entries, or NONE. */
  #chains = new Int32Array(1);
  #bytes: Uint8Array;
  #view: DataView;
  /** The entry that was written first. */
  #tail = START;
  /** Where the next one goes. */
  #head = START;
  /** Where the part from the tail on ends, after which comes the start; NONE: all is one part. */
  #end = NONE;

  /** @param bytesMax of the ring; it grows as it fills */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#bytes = new Uint8Array(Math.min(FIRST_BYTES, bytesMax));
    this.#view = new DataView(this.#bytes.buffer);
  }

  get(key: Uint8Array): VersionSummary | null {
    const view = this.#view;
    let at = this.#chains[this.#chainOf(crc32c(key))] as number;
    while (at !== NONE) {
      if (this.#isOf(at, key)) {
        return {
          createRevision: this.#revisionAt(at + CREATE_REVISION),
          modRevision: this.#revisionAt(at + MOD_REVISION),
          sub: view.getUint16(at + SUB),
          version: view.getUint32(at + VERSION),
          lease: 0n,
        };
      }
      at = view.getInt32(at + NEXT);
    }
    return null;
  }

  /** Notes the newest version of a key. */
  set(key: Uint8Array, summary: VersionSummary): void {
    if (this.#chains.length === 1) this.#chains = new Int32Array(chainsFor(this.#bytesMax));
    const chain = this.#chainOf(crc32c(key));
    if (!fits(key, summary) || key.length + KEY > this.#bytesMax / 2) {
      this.#drop(chain, key);
      return;
    }
    const at = this.#find(chain, key);
    this.#write(at === NONE ? this.#append(chain, key) : at, summary);
  }

  delete(key: Uint8Array): void {
    this.#drop(this.#chainOf(crc32c(key)), key);
  }

  #chainOf(checksum: number): number {
    return checksum & (this.#chains.length - 1);
  }

  /** Cuts a chain that has become too long: those behind are forgotten. */
  #find(chain: number, key: Uint8Array): number {
    const view = this.#view;
    let at = this.#chains[chain] as number;
    for (let length = 1; at !== NONE; length++) {
      if (this.#isOf(at, key)) return at;
      if (length === CHAIN_MAX) view.setInt32(at + NEXT, NONE);
      at = view.getInt32(at + NEXT);
    }
    return NONE;
  }

  #drop(chain: number, key: Uint8Array): void {
    const at = this.#find(chain, key);
    if (at !== NONE) this.#unlink(chain, at);
  }

  /** @returns the offset of a new entry, without a summary */
  #append(chain: number, key: Uint8Array): number {
    const at = this.#room(KEY + key.length);
    this.#view.setUint16(at + KEY_BYTES, key.length);
    this.#bytes.set(key, at + KEY);
    // Only now: making room may have changed the chain.
    this.#view.setInt32(at + NEXT, this.#chains[chain] as number);
    this.#chains[chain] = at;
    this.#head = at + KEY + key.length;
    return at;
  }

  #write(at: number, { createRevision, modRevision, sub, version }: VersionSummary): void {
    const view = this.#view;
    view.setUint16(at + SUB, sub);
    view.setUint32(at + VERSION, version);
    this.#setRevision(at + CREATE_REVISION, createRevision);
    this.#setRevision(at + MOD_REVISION, modRevision);
  }

  /** Where so many bytes are free: the ring grows, or the oldest entries go. */
  #room(bytes: number): number {
    for (;;) {
      if (this.#end === NONE) {
        if (this.#head + bytes <= this.#bytes.length) return this.#head;
        if (this.#bytes.length < this.#bytesMax) {
          this.#grow();
        } else {
          this.#end = this.#head;
          this.#head = START;
        }
      } else {
        if (this.#head + bytes <= this.#tail) return this.#head;
        this.#evict();
      }
    }
  }

  #grow(): void {
    const larger = new Uint8Array(Math.min(2 * this.#bytes.length, this.#bytesMax));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }

  #evict(): void {
    const at = this.#tail;
    const end = at + KEY + this.#view.getUint16(at + KEY_BYTES);
    this.#unlink(this.#chainOf(crc32c(this.#bytes, 0, at + KEY, end)), at);
    this.#tail = end;
    if (end < this.#end) return;
    this.#tail = START;
    this.#end = NONE;
  }

  /** Nothing, when the entry is in no chain any more. */
  #unlink(chain: number, entry: number): void {
    const view = this.#view;
    const next = view.getInt32(entry + NEXT);
    let at = this.#chains[chain] as number;
    if (at === entry) this.#chains[chain] = next;
    while (at !== NONE && at !== entry) {
      const after = view.getInt32(at + NEXT);
      if (after === entry) view.setInt32(at + NEXT, next);
      at = after;
    }
  }

  #isOf(at: number, key: Uint8Array): boolean {
    const { length } = key;
    if (this.#view.getUint16(at + KEY_BYTES) !== length) return false;
    const bytes = this.#bytes;
    const start = at + KEY;
    // Keys often begin alike.
    for (let i = length - 1; i >= 0; i--) if (bytes[start + i] !== key[i]) return false;
    return true;
  }

  /** In six bytes. */
  #revisionAt(at: number): number {
    return this.#view.getUint16(at) * 2 ** 32 + this.#view.getUint32(at + 2);
  }

  #setRevision(at: number, revision: number): void {
    this.#view.setUint16(at, revision / 2 ** 32);
    this.#view.setUint32(at + 2, revision);
  }
}

/** All of them at once: to sort entries into more chains later would take long. */
function chainsFor(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(bytes / ENTRY_BYTES, 2)));
}

/** What does not fit into an entry is rare. */
function fits(key: Uint8Array, { modRevision, sub, version, lease }: VersionSummary): boolean {
  const numbersFit = sub < 2 ** 16 && version < 2 ** 32 && modRevision < 2 ** 48;
  return lease === 0n && numbersFit && key.length < 2 ** 16;
}
