import { bytesOfMapKey, mapKey } from '../../src/lib/bytes.ts';
import type { KeyRange, Row } from '../../src/state/store.ts';

/**
 * One table of the simulated database: a map with its keys in order. Small, so inserting by splice
 * is cheap.
 */
export class OrderedTable {
  readonly #values: Map<string, Uint8Array>;
  readonly #keys: string[];
  #bytes: number;

  constructor(copied: OrderedTable | null = null) {
    this.#values = new Map(copied === null ? [] : copied.#values);
    this.#keys = copied === null ? [] : copied.#keys.slice();
    this.#bytes = copied === null ? 0 : copied.#bytes;
  }

  get sizeBytes(): number {
    return this.#bytes;
  }

  get(key: Uint8Array): Uint8Array | null {
    return this.#values.get(mapKey(key))?.slice() ?? null;
  }

  put(key: string, value: Uint8Array): void {
    const old = this.#values.get(key);
    if (old === undefined) this.#keys.splice(this.#position(key), 0, key);
    this.#bytes += value.length - (old === undefined ? -key.length : old.length);
    this.#values.set(key, value);
  }

  delete(key: string): void {
    const old = this.#values.get(key);
    if (old === undefined) return;
    this.#bytes -= key.length + old.length;
    this.#values.delete(key);
    this.#keys.splice(this.#position(key), 1);
  }

  count(range: KeyRange): number {
    const [from, to] = this.#bounds(range);
    return Math.max(0, to - from);
  }

  scan(range: KeyRange, limit: number, reverse: boolean): Row[] {
    const [from, to] = this.#bounds(range);
    const rows: Row[] = [];
    const length = Math.min(limit, Math.max(0, to - from));
    for (let i = 0; i < length; i++) {
      const key = this.#keys[reverse ? to - 1 - i : from + i] ?? '';
      rows.push({ key: bytesOfMapKey(key), value: (this.#values.get(key) ?? EMPTY).slice() });
    }
    return rows;
  }

  /** True when both hold the same rows. */
  equals(other: OrderedTable): boolean {
    if (this.#keys.length !== other.#keys.length) return false;
    return this.#keys.every((key) => {
      const mine = this.#values.get(key);
      const theirs = other.#values.get(key);
      return mine !== undefined && theirs !== undefined && mapKey(mine) === mapKey(theirs);
    });
  }

  #bounds(range: KeyRange): [number, number] {
    const to = range.end === null ? this.#keys.length : this.#position(mapKey(range.end));
    return [this.#position(mapKey(range.start)), to];
  }

  /** Where the key is, or would be. */
  #position(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#keys[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const EMPTY = new Uint8Array(0);
