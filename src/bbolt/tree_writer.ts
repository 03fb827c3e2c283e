import { assert, must } from '../lib/assert.ts';
import { compareBytes, EMPTY_BYTES } from '../lib/bytes.ts';
import {
  BUCKET_ELEMENT,
  ELEMENT_BYTES,
  ELEMENTS_MAX,
  PAGE_BYTES,
  PAGE_HEADER_BYTES,
  PageFlag,
  viewOf,
} from './layout.ts';

/** Where pages are written: one after the other, each with those that it overflows into. */
export interface PageSink {
  /** @param pages whole pages, whose first has its id already. */
  write(pages: Uint8Array): void;
  /** The id of the next page that is written. */
  readonly nextId: number;
}

interface Element {
  readonly flags: number;
  readonly key: Uint8Array;
  /** Of a leaf: the value. */
  readonly value: Uint8Array;
  /** Of a branch: where it leads. */
  readonly page: number;
}

/** Elements of one level of a tree that are not in a page yet. */
interface Level {
  readonly elements: Element[];
  bytes: number;
  /** Pages of this level that are written. */
  pages: number;
}

/**
 * Builds a tree from keys in order, from the leaves up: a page is written when it is full, and is
 * an element of the level above from then on. So only a page for each level is in memory.
 */
export class TreeWriter {
  readonly #sink: PageSink;
  readonly #levels: Level[] = [emptyLevel()];
  #lastKey: Uint8Array | null = null;

  constructor(sink: PageSink) {
    this.#sink = sink;
  }

  /** The next key; keys rise. */
  add(key: Uint8Array, value: Uint8Array): void {
    this.#append(0, { flags: 0, key, value, page: 0 });
  }

  /** A bucket inside of this one. */
  addBucket(name: Uint8Array, header: Uint8Array): void {
    this.#append(0, { flags: BUCKET_ELEMENT, key: name, value: header, page: 0 });
  }

  /** @returns the id of the root */
  finish(): number {
    for (let height = 0; ; height++) {
      const level = must(this.#levels[height], 'a level is made before it is filled');
      const isRoot = height === this.#levels.length - 1;
      if (isRoot && level.pages === 0) return this.#write(height);
      if (level.elements.length > 0) this.#close(height);
    }
  }

  #append(height: number, element: Element): void {
    if (height === 0) {
      const rises = this.#lastKey === null || compareBytes(this.#lastKey, element.key) < 0;
      assert(rises && element.key.length > 0, 'keys rise, and none is empty');
      this.#lastKey = element.key;
    }
    const level = this.#level(height);
    const bytes = ELEMENT_BYTES + element.key.length + element.value.length;
    // A branch with one way is no branch: it gets a second one, and overflows if it must.
    const least = height === 0 ? 1 : 2;
    const isFull = level.bytes + bytes > PAGE_BYTES || level.elements.length === ELEMENTS_MAX;
    if (isFull && level.elements.length >= least) this.#close(height);
    level.elements.push(element);
    level.bytes += bytes;
  }

  /** Writes what has gathered at a level, and tells the level above. */
  #close(height: number): void {
    const level = this.#level(height);
    const first = must(level.elements[0], 'only what holds something is closed');
    const page = this.#write(height);
    level.pages++;
    level.elements.length = 0;
    level.bytes = PAGE_HEADER_BYTES;
    this.#append(height + 1, { flags: 0, key: first.key, value: EMPTY_BYTES, page });
  }

  #write(height: number): number {
    const { elements, bytes } = this.#level(height);
    const id = this.#sink.nextId;
    this.#sink.write(encodePage(id, height === 0, elements, bytes));
    return id;
  }

  #level(height: number): Level {
    const known = this.#levels[height];
    if (known !== undefined) return known;
    const level = emptyLevel();
    this.#levels.push(level);
    return level;
  }
}

function emptyLevel(): Level {
  return { elements: [], bytes: PAGE_HEADER_BYTES, pages: 0 };
}

function encodePage(
  id: number,
  isLeaf: boolean,
  elements: readonly Element[],
  bytes: number,
): Uint8Array {
  const page = emptyPages(id, isLeaf ? PageFlag.leaf : PageFlag.branch, elements.length, bytes);
  const view = viewOf(page);
  let dataAt = PAGE_HEADER_BYTES + elements.length * ELEMENT_BYTES;
  elements.forEach(({ flags, key, value, page: target }, i) => {
    const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
    // A position counts from its own element.
    const position = dataAt - at;
    if (isLeaf) {
      view.setUint32(at, flags, true);
      view.setUint32(at + 4, position, true);
      view.setUint32(at + 8, key.length, true);
      view.setUint32(at + 12, value.length, true);
    } else {
      view.setUint32(at, position, true);
      view.setUint32(at + 4, key.length, true);
      view.setBigUint64(at + 8, BigInt(target), true);
    }
    page.set(key, dataAt);
    page.set(value, dataAt + key.length);
    dataAt += key.length + value.length;
  });
  return page;
}

/** Pages with room for so many bytes, the header among them, and the header filled in. */
export function emptyPages(id: number, flags: number, count: number, bytes: number): Uint8Array {
  const pages = Math.max(1, Math.ceil(bytes / PAGE_BYTES));
  const page = new Uint8Array(pages * PAGE_BYTES);
  const view = viewOf(page);
  view.setBigUint64(0, BigInt(id), true);
  view.setUint16(8, flags, true);
  view.setUint16(10, count, true);
  view.setUint32(12, pages - 1, true);
  return page;
}
