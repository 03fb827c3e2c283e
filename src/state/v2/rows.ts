import { concatBytes, textOf, utf8 } from '../../lib/bytes.ts';

/**
 * Keys of the rows of the table v2: nodes, then one row for each node that ends, then the newest
 * events, and at last the index.
 *
 * A node's key begins with its depth, so that the children of a directory lie side by side: a
 * listing is one range, and a subtree one range for each level.
 */
const NODES = 0;
const EXPIRATIONS = 1;
const EVENTS = 2;

export const INDEX_KEY = Uint8Array.of(3);
export const EXPIRATIONS_PREFIX = Uint8Array.of(EXPIRATIONS);

export function nodeKey(path: string): Uint8Array {
  return nodePrefix(path, depthOf(path));
}

/** Of the nodes so many levels below a directory. */
export function levelPrefix(directory: string, levels: number): Uint8Array {
  return nodePrefix(`${directory}/`, depthOf(directory) + levels);
}

export function pathOfNodeKey(key: Uint8Array): string {
  return textOf(key.subarray(3));
}

/** In the order of time, then of paths. */
export function expirationKey(expirationMs: number, path: string): Uint8Array {
  const head = new Uint8Array(9);
  head[0] = EXPIRATIONS;
  new DataView(head.buffer).setBigUint64(1, BigInt(expirationMs));
  return concatBytes([head, utf8(path)]);
}

export function ofExpirationKey(key: Uint8Array): { expirationMs: number; path: string } {
  const view = new DataView(key.buffer, key.byteOffset);
  return { expirationMs: Number(view.getBigUint64(1)), path: textOf(key.subarray(9)) };
}

/** @param part 0: the event; 1: the node before, where both together are too large for a row */
export function eventKey(slot: number, part: 0 | 1): Uint8Array {
  return Uint8Array.of(EVENTS, part, slot >> 8, slot & 0xff);
}

function depthOf(path: string): number {
  let depth = 0;
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) depth++;
  return depth;
}

function nodePrefix(text: string, depth: number): Uint8Array {
  return concatBytes([Uint8Array.of(NODES, depth >> 8, depth & 0xff), utf8(text)]);
}
