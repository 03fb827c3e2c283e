import { compareBytes } from '../../lib/bytes.ts';
import { isEmptyRange } from '../key_range.ts';
import type { KeyRange } from '../store.ts';

/**
 * A set of keys, as ranges that neither overlap nor touch, in order. What several ranges cover
 * together is covered: [a, b) and [b, c) hold [a, c).
 */
export class KeySet {
  readonly #ranges: readonly KeyRange[];

  constructor(ranges: readonly KeyRange[]) {
    this.#ranges = merged(ranges);
  }

  /** Whether every key that the range could have is in the set. An empty range is not. */
  covers(range: KeyRange): boolean {
    if (isEmptyRange(range)) return false;
    const at = this.#lastFrom(range.start);
    if (at === undefined) return false;
    if (at.end === null) return true;
    return range.end !== null && compareBytes(range.end, at.end) <= 0;
  }

  /** The last range that begins at or before the key. */
  #lastFrom(key: Uint8Array): KeyRange | undefined {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes((this.#ranges[middle] as KeyRange).start, key) <= 0) low = middle + 1;
      else high = middle;
    }
    return this.#ranges[low - 1];
  }
}

function merged(ranges: readonly KeyRange[]): KeyRange[] {
  const sorted = ranges
    .filter((range) => !isEmptyRange(range))
    .sort((a, b) => compareBytes(a.start, b.start));
  const whole: KeyRange[] = [];
  for (const range of sorted) {
    const last = whole.at(-1);
    if (last === undefined || (last.end !== null && compareBytes(last.end, range.start) < 0)) {
      whole.push(range);
    } else if (last.end !== null && isBeyond(range.end, last.end)) {
      whole[whole.length - 1] = { start: last.start, end: range.end };
    }
  }
  return whole;
}

function isBeyond(end: Uint8Array | null, other: Uint8Array): boolean {
  return end === null || compareBytes(end, other) > 0;
}
