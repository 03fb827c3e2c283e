import { crc32c } from '../lib/crc32c.ts';

/**
 * Lets into a cache only what was asked for before, lately: a key that is asked for once in a long
 * while would take the place of another, and cost the collector of garbage more than it is worth.
 * (The doorkeeper of TinyLFU: Einziger, Friedman, Manes, 2017.) It remembers one checksum for each
 * place, so it forgets by itself; that it errs now and then costs one row read.
 */
export class Doorkeeper {
  readonly #asked: Int32Array;

  /** @param keys about so many are remembered */
  constructor(keys: number) {
    this.#asked = new Int32Array(2 ** Math.ceil(Math.log2(keys)));
  }

  /** Whether the key was asked for before; from now on it was. */
  knows(key: Uint8Array): boolean {
    const checksum = crc32c(key) | 0;
    const place = checksum & (this.#asked.length - 1);
    if (this.#asked[place] === checksum) return true;
    this.#asked[place] = checksum;
    return false;
  }
}
