import { assert, must } from '../../lib/assert.ts';
import { EMPTY_BYTES } from '../../lib/bytes.ts';
import { prefixRange } from '../key_range.ts';
import type { OverlayTable } from '../overlay_table.ts';
import { decodeStoredNode, encodeStoredNode, type StoredNode } from './node.ts';
import { ancestorsOf, KEYS_ROOT } from './path.ts';
import {
  EXPIRATIONS_PREFIX,
  expirationKey,
  levelPrefix,
  nodeKey,
  ofExpirationKey,
  pathOfNodeKey,
} from './rows.ts';

/** The root of clients' keys: it is always there, and nothing changes it. */
const ROOT: StoredNode = { value: null, createdIndex: 0, modifiedIndex: 0, expirationMs: 0 };

/** How far a path leads. */
export type Found =
  | { readonly kind: 'node'; readonly node: StoredNode }
  /** The first part of the path that is not there. */
  | { readonly kind: 'missing'; readonly path: string }
  /** A file where a directory would have to be. */
  | { readonly kind: 'file'; readonly path: string };

/**
 * The files and directories in rows. What is above a node exists and is a directory: so a node is
 * found by one look, and only one that is missing costs the way to it.
 */
export class Tree {
  readonly #table: OverlayTable<Uint8Array>;

  constructor(table: OverlayTable<Uint8Array>) {
    this.#table = table;
  }

  get(path: string): StoredNode | null {
    if (path === KEYS_ROOT) return ROOT;
    const row = this.#table.get(nodeKey(path));
    return row === null ? null : decodeStoredNode(row);
  }

  find(path: string): Found {
    const node = this.get(path);
    if (node !== null) return { kind: 'node', node };
    for (const ancestor of ancestorsOf(path)) {
      const above = this.get(ancestor);
      if (above === null) return { kind: 'missing', path: ancestor };
      if (above.value !== null) return { kind: 'file', path: ancestor };
    }
    return { kind: 'missing', path };
  }

  /** What is directly in the directory, by path. */
  *children(directory: string): Generator<readonly [path: string, node: StoredNode]> {
    for (const { key, value } of this.#table.entries(prefixRange(levelPrefix(directory, 1)))) {
      yield [pathOfNodeKey(key), decodeStoredNode(value)];
    }
  }

  isEmpty(directory: string): boolean {
    return this.children(directory).next().done === true;
  }

  set(path: string, node: StoredNode): void {
    assert(path !== KEYS_ROOT, 'the root of the keys is changed');
    const before = this.get(path);
    if (before !== null) this.#forgetExpiration(path, before);
    this.#table.set(nodeKey(path), encodeStoredNode(node), before === null ? null : EMPTY_BYTES);
    if (node.expirationMs === 0) return;
    this.#table.set(expirationKey(node.expirationMs, path), EMPTY_BYTES, null);
  }

  /**
   * Takes away the node and all below it. @returns their paths; null: they are more than so many,
   * and nothing was done
   */
  remove(path: string, nodesMax: number): string[] | null {
    const paths = [path];
    const node = must(this.get(path), 'what is removed is there');
    if (node.value === null) {
      for (let levels = 1; this.#listLevel(path, levels, paths, nodesMax); levels++);
    }
    if (paths.length > nodesMax) return null;
    for (const each of paths) this.#removeOne(each);
    return paths;
  }

  /** Takes away so many nodes from below a directory that has more, what is inside first. */
  prune(directory: string, nodesMax: number): number {
    const inside: string[] = [];
    for (const [path] of this.children(directory)) {
      if (inside.push(path) >= nodesMax) break;
    }
    let count = 0;
    for (const path of inside) {
      count += this.prune(path, nodesMax - count);
      if (count >= nodesMax) break;
      this.#removeOne(path);
      count++;
    }
    return count;
  }

  /** The node that ends first, or ended and is still there; null: none ever ends. */
  earliestExpiration(): { readonly expirationMs: number; readonly path: string } | null {
    for (const { key } of this.#table.entries(prefixRange(EXPIRATIONS_PREFIX))) {
      return ofExpirationKey(key);
    }
    return null;
  }

  /** Whether there may be more than what was found so many levels below. */
  #listLevel(directory: string, levels: number, paths: string[], nodesMax: number): boolean {
    const before = paths.length;
    for (const { key } of this.#table.entries(prefixRange(levelPrefix(directory, levels)))) {
      if (paths.push(pathOfNodeKey(key)) > nodesMax) return false;
    }
    return paths.length > before;
  }

  #removeOne(path: string): void {
    this.#forgetExpiration(path, must(this.get(path), 'what is removed is there'));
    this.#table.set(nodeKey(path), null, EMPTY_BYTES);
  }

  #forgetExpiration(path: string, { expirationMs }: StoredNode): void {
    if (expirationMs === 0) return;
    this.#table.set(expirationKey(expirationMs, path), null, EMPTY_BYTES);
  }
}
