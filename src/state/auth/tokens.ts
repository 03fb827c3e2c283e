import { limits } from '../../config.ts';
import { BinaryReader } from '../../lib/binary.ts';
import type { Journal } from '../journal.ts';
import { ALL_KEYS } from '../key_range.ts';
import { OverlayTable } from '../overlay_table.ts';
import type { RowCodec } from '../row_codec.ts';
import type { StateStore } from '../store.ts';

/** A token that a user was given. The token itself is nowhere: it is known by its digest. */
export interface Token {
  readonly username: string;
  /** The entry that gave it out: the number at the token's end. */
  readonly index: number;
  /** By the clock of the member that gave it out, or renewed it. */
  readonly expiresMs: number;
}

/** What may be asked about tokens by who must not change them. */
export type TokenReader = Pick<Tokens, 'get' | 'isEmpty' | 'hasExpired'>;

const TOKEN_CODEC: RowCodec<Token> = {
  write: (writer, { username, index, expiresMs }) => {
    writer.text(username).varint(index).varint(expiresMs);
  },
  decode: (_key, row) => {
    const reader = new BinaryReader(row);
    return { username: reader.text(), index: reader.varint(), expiresMs: reader.varint() };
  },
  sizeOf: ({ username }) => 64 + username.length,
};

/**
 * The tokens in use, by SHA-256 of their letters. Part of the state: each is good at every member
 * and outlives restarts.
 */
export class Tokens {
  readonly table: OverlayTable<Token>;

  constructor(store: StateStore, journal: Journal) {
    this.table = new OverlayTable(store, 'token', TOKEN_CODEC, journal);
  }

  get(digest: Uint8Array): Token | null {
    return this.table.get(digest);
  }

  get isEmpty(): boolean {
    return this.table.count(ALL_KEYS) === 0;
  }

  hasExpired(nowMs: number): boolean {
    for (const { expiresMs } of this.table.scan(ALL_KEYS)) if (expiresMs < nowMs) return true;
    return false;
  }

  /** A new token. One user, or all of them, may have so many: the oldest make room. */
  add(digest: Uint8Array, token: Token): void {
    const own = (other: Token) => other.username === token.username;
    this.#makeRoom(limits.authTokensPerUserMax, own);
    this.#makeRoom(limits.authTokensMax, () => true);
    this.table.set(digest.slice(), token, this.table.get(digest));
  }

  /** Lives at least so long from now on; false when there is no such token. */
  renew(digest: Uint8Array, expiresMs: number): boolean {
    const token = this.table.get(digest);
    if (token === null) return false;
    const later = Math.max(token.expiresMs, expiresMs);
    this.table.set(digest.slice(), { ...token, expiresMs: later }, token);
    return true;
  }

  removeExpired(nowMs: number): void {
    this.#remove(({ expiresMs }) => expiresMs < nowMs);
  }

  removeOf(username: string): void {
    this.#remove((token) => token.username === username);
  }

  removeAll(): void {
    this.#remove(() => true);
  }

  #makeRoom(countMax: number, counts: (token: Token) => boolean): void {
    const held = [...this.table.entries(ALL_KEYS)].filter(({ value }) => counts(value));
    held.sort((a, b) => a.value.index - b.value.index);
    const surplus = held.length + 1 - countMax;
    for (const { key, value } of held.slice(0, Math.max(0, surplus))) {
      this.table.set(key, null, value);
    }
  }

  #remove(isDue: (token: Token) => boolean): void {
    const due = [...this.table.entries(ALL_KEYS)].filter(({ value }) => isDue(value));
    for (const { key, value } of due) this.table.set(key, null, value);
  }
}
