import { crc32c } from '../lib/crc32c.ts';
import type { Outcome } from './parts.ts';

/** Entries whose checksum is remembered: a power of two, about a second of the fastest writing. */
const RECENT = 16_384;

/**
 * A checksum over the outcome of every command since the beginning: equal on all members at the
 * same applied index. That of recent indices is remembered, so that members can compare what they
 * had at one index although none of them stands still.
 */
export class Chain {
  #value: number;
  /** The applied index from which on this instance knows. */
  readonly #firstIndex: number;
  #lastIndex: number;
  readonly #recent: Uint32Array<ArrayBuffer>;

  constructor(value: number, appliedIndex: number, recent = RECENT) {
    this.#value = value;
    this.#firstIndex = appliedIndex;
    this.#lastIndex = appliedIndex;
    this.#recent = new Uint32Array(recent);
  }

  get value(): number {
    return this.#value;
  }

  /** The next entry is about to be applied: what stands is the checksum of the one before. */
  next(index: number): void {
    this.#recent[(index - 1) & (this.#recent.length - 1)] = this.#value;
    this.#lastIndex = index;
  }

  extend(revision: number, authRevision: number, { error, changes, v2 }: Outcome): void {
    // A few words, mixed in place: this runs for every command on every member.
    const words = [this.#lastIndex, revision, authRevision, error?.code ?? 0, changes.length];
    let chain = this.#value;
    for (const word of words) chain = Math.imul(chain ^ word, 0x85ebca6b) ^ (chain >>> 15);
    for (const { content } of changes) chain = crc32c(content, chain);
    if (v2 !== null) chain = Math.imul(chain ^ v2.digest, 0x85ebca6b) ^ (chain >>> 15);
    this.#value = chain >>> 0;
  }

  /** The checksum after that entry; null when it is not applied yet, or no longer remembered. */
  at(index: number): number | null {
    if (index === this.#lastIndex) return this.#value;
    const oldest = Math.max(this.#firstIndex, this.#lastIndex - this.#recent.length);
    if (index > this.#lastIndex || index < oldest) return null;
    return this.#recent[index & (this.#recent.length - 1)] ?? null;
  }
}
