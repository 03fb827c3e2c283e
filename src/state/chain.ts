import type { Outcome } from './parts.ts';

/** Entries whose checksum is remembered: a power of two, about a second of the fastest writing. */
const RECENT = 16_384;

/** Rises with every change of what goes into the checksum, or of how. */
const DEFINITION = 1;

/** A checksum, and what it is one of: others than those of the same definition and base differ. */
export interface ChainSum {
  readonly definition: number;
  /** It covers what was applied after this index. */
  readonly base: number;
  readonly value: number;
}

/** Of a state to which nothing has been applied. */
export const NO_CHAIN: ChainSum = { definition: DEFINITION, base: 0, value: 0 };

/** Whether the two must be equal on sound members. */
export function isComparable(a: ChainSum, b: ChainSum): boolean {
  return a.definition === b.definition && a.base === b.base;
}

/**
 * A checksum over the outcome of every command since a base, which the log says: equal on all
 * members at the same applied index. That of recent indices is remembered, so that members can
 * compare what they had at one index although none of them stands still.
 *
 * A release that changes the definition cannot go on with what an older one has summed up: it
 * begins anew where it starts, and its base is then its own, until an entry gives all the same one.
 */
export class Chain {
  #value: number;
  #base: number;
  /** The applied index from which on this instance knows. */
  readonly #firstIndex: number;
  #lastIndex: number;
  readonly #recent: Uint32Array<ArrayBuffer>;

  constructor(sum: ChainSum, appliedIndex: number, recent = RECENT) {
    const isOurs = sum.definition === DEFINITION;
    this.#value = isOurs ? sum.value : 0;
    this.#base = isOurs ? sum.base : appliedIndex;
    this.#firstIndex = appliedIndex;
    this.#lastIndex = appliedIndex;
    this.#recent = new Uint32Array(recent);
  }

  get sum(): ChainSum {
    return { definition: DEFINITION, base: this.#base, value: this.#value };
  }

  /** Begins anew after the entry that was applied last. */
  rebase(): void {
    this.#base = this.#lastIndex;
    this.#value = 0;
  }

  /** The next entry is about to be applied: what stands is the checksum of the one before. */
  next(index: number): void {
    this.#recent[(index - 1) & (this.#recent.length - 1)] = this.#value;
    this.#lastIndex = index;
  }

  extend(revision: number, authRevision: number, { error, changes, v2 }: Outcome): void {
    // Nothing is made on the way: this runs for every command on every member.
    let chain = mix(this.#value, this.#lastIndex);
    chain = mix(chain, revision);
    chain = mix(chain, authRevision);
    chain = mix(chain, error?.code ?? 0);
    chain = mix(chain, changes.length);
    for (const { version } of changes) chain = version.checksum(chain);
    if (v2 !== null) chain = mix(chain, v2.digest);
    this.#value = chain >>> 0;
  }

  /** The checksum after that entry; null when it is not applied yet, or no longer remembered. */
  at(index: number): ChainSum | null {
    const { sum } = this;
    if (index === this.#lastIndex) return sum;
    const remembered = this.#lastIndex - this.#recent.length;
    const oldest = Math.max(this.#firstIndex, this.#base, remembered);
    if (index > this.#lastIndex || index < oldest) return null;
    return { ...sum, value: this.#recent[index & (this.#recent.length - 1)] ?? 0 };
  }
}

function mix(chain: number, word: number): number {
  return Math.imul(chain ^ word, 0x85ebca6b) ^ (chain >>> 15);
}
