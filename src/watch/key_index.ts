import { IntervalTree } from './interval_tree.ts';

/** What is watched, with keys as strings (see {@link mapKey}). */
export interface Watched {
  readonly key: string;
  /** null: the key alone. */
  readonly end: string | null;
}

/**
 * Finds the watchers of a key without looking at the others: by hash those of the one key, by an
 * interval tree those of ranges.
 */
export class KeyIndex<W extends Watched> {
  readonly #keys = new Map<string, Set<W>>();
  readonly #ranges = new IntervalTree<W>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(watcher: W): void {
    this.#size++;
    const { key, end } = watcher;
    if (end !== null) return this.#ranges.add(key, end, watcher);
    const watchers = this.#keys.get(key);
    if (watchers === undefined) this.#keys.set(key, new Set([watcher]));
    else watchers.add(watcher);
  }

  /** The watcher is in the index. */
  delete(watcher: W): void {
    this.#size--;
    const { key, end } = watcher;
    if (end !== null) return this.#ranges.delete(key, end, watcher);
    const watchers = this.#keys.get(key);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#keys.delete(key);
  }

  /** Visits the watchers of a key. None may be added or deleted meanwhile. */
  visit(key: string, visitor: (watcher: W) => void): void {
    const watchers = this.#keys.get(key);
    if (watchers !== undefined) for (const watcher of watchers) visitor(watcher);
    this.#ranges.visit(key, visitor);
  }
}
