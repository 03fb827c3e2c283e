import { must } from '../lib/assert.ts';

/** A half-open range of keys as strings (see mapKey), whose order is that of bytes. */
interface Node<T> {
  readonly start: string;
  readonly end: string;
  readonly values: Set<T>;
  left: Node<T> | null;
  right: Node<T> | null;
  height: number;
  /** The greatest end in this subtree. */
  maxEnd: string;
}

/** Behind every key: the end of a range without one. */
export const END_OF_KEYS = '\uffff';

/**
 * Ranges, and what is interested in them: an AVL tree in the order of starts, in which each node
 * knows the greatest end below it (Cormen et al., "Interval trees"). Equal ranges share a node.
 */
export class IntervalTree<T> {
  #root: Node<T> | null = null;

  add(start: string, end: string, value: T): void {
    this.#root = insert(this.#root, start, end, value);
  }

  delete(start: string, end: string, value: T): void {
    const node = find(this.#root, start, end);
    if (node === null) return;
    node.values.delete(value);
    if (node.values.size === 0) this.#root = remove(this.#root, start, end);
  }

  /** Visits the values of all ranges that contain the key. */
  visit(key: string, visitor: (value: T) => void): void {
    if (this.#root !== null) visitNode(this.#root, key, visitor);
  }
}

function visitNode<T>(node: Node<T>, key: string, visitor: (value: T) => void): void {
  if (node.maxEnd <= key) return;
  if (node.left !== null) visitNode(node.left, key, visitor);
  if (node.start > key) return;
  if (key < node.end) for (const value of node.values) visitor(value);
  if (node.right !== null) visitNode(node.right, key, visitor);
}

/** Negative, zero or positive. */
function compare<T>(node: Node<T>, start: string, end: string): number {
  if (start !== node.start) return start < node.start ? -1 : 1;
  if (end !== node.end) return end < node.end ? -1 : 1;
  return 0;
}

function find<T>(root: Node<T> | null, start: string, end: string): Node<T> | null {
  let node = root;
  while (node !== null) {
    const order = compare(node, start, end);
    if (order === 0) return node;
    node = order < 0 ? node.left : node.right;
  }
  return null;
}

function insert<T>(node: Node<T> | null, start: string, end: string, value: T): Node<T> {
  if (node === null) {
    const values = new Set([value]);
    return { start, end, values, left: null, right: null, height: 1, maxEnd: end };
  }
  const order = compare(node, start, end);
  if (order === 0) {
    node.values.add(value);
    return node;
  }
  if (order < 0) node.left = insert(node.left, start, end, value);
  else node.right = insert(node.right, start, end, value);
  return balance(node);
}

function remove<T>(node: Node<T> | null, start: string, end: string): Node<T> | null {
  const found = must(node, 'the range is in the tree');
  const order = compare(found, start, end);
  if (order < 0) found.left = remove(found.left, start, end);
  else if (order > 0) found.right = remove(found.right, start, end);
  else {
    if (found.left === null) return found.right;
    if (found.right === null) return found.left;
    const next = leftmost(found.right);
    next.right = withoutLeftmost(found.right);
    next.left = found.left;
    return balance(next);
  }
  return balance(found);
}

function leftmost<T>(node: Node<T>): Node<T> {
  let first = node;
  while (first.left !== null) first = first.left;
  return first;
}

function withoutLeftmost<T>(node: Node<T>): Node<T> | null {
  if (node.left === null) return node.right;
  node.left = withoutLeftmost(node.left);
  return balance(node);
}

function heightOf<T>(node: Node<T> | null): number {
  return node === null ? 0 : node.height;
}

function update<T>(node: Node<T>): void {
  const { left, right } = node;
  node.height = 1 + Math.max(heightOf(left), heightOf(right));
  node.maxEnd = node.end;
  if (left !== null && left.maxEnd > node.maxEnd) node.maxEnd = left.maxEnd;
  if (right !== null && right.maxEnd > node.maxEnd) node.maxEnd = right.maxEnd;
}

/** Restores the bound on heights after one change below; returns the subtree's new root. */
function balance<T>(node: Node<T>): Node<T> {
  const lean = heightOf(node.left) - heightOf(node.right);
  if (lean > 1) {
    const left = must(node.left, 'the higher side');
    if (heightOf(left.left) < heightOf(left.right)) node.left = rotateLeft(left);
    return rotateRight(node);
  }
  if (lean < -1) {
    const right = must(node.right, 'the higher side');
    if (heightOf(right.right) < heightOf(right.left)) node.right = rotateRight(right);
    return rotateLeft(node);
  }
  update(node);
  return node;
}

function rotateLeft<T>(node: Node<T>): Node<T> {
  const top = must(node.right, 'a node to rotate up');
  node.right = top.left;
  top.left = node;
  update(node);
  update(top);
  return top;
}

function rotateRight<T>(node: Node<T>): Node<T> {
  const top = must(node.left, 'a node to rotate up');
  node.left = top.right;
  top.right = node;
  update(node);
  update(top);
  return top;
}
