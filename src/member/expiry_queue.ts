/** What ends at a time that may move. */
export interface Expiring {
  /** Only ever moves forward. */
  deadlineMs: number;
  /** It needs not end any more. */
  isGone: boolean;
}

interface Place<T> {
  /** When it is looked at: not after its deadline. */
  atMs: number;
  readonly item: T;
}

/** So many that are gone are not worth a look. */
const GONE_SLACK = 1_024;

/**
 * Finds what is due among many without looking at the others: a binary heap by time. Renewing is
 * the common case and touches the item alone; one that comes up before its deadline goes back with
 * the new one. So an item is moved about once in its time to live, however often it is renewed.
 */
export class ExpiryQueue<T extends Expiring> {
  #heap: Place<T>[] = [];
  #gone = 0;

  /** Places held, those of items that are gone included. */
  get length(): number {
    return this.#heap.length;
  }

  add(item: T, atMs = item.deadlineMs): void {
    this.#heap.push({ atMs, item });
    this.#rise(this.#heap.length - 1);
  }

  /** An item has become `isGone`: what is left of it is dropped when enough has gathered. */
  noteGone(): void {
    this.#gone++;
    if (this.#gone <= GONE_SLACK + this.#heap.length / 2) return;
    this.#gone = 0;
    this.#heap = this.#heap.filter(({ item }) => !item.isGone);
    for (let i = (this.#heap.length >>> 1) - 1; i >= 0; i--) this.#sink(i);
  }

  /** Takes out up to so many whose time has come. The caller adds again what it did not end. */
  takeDue(nowMs: number, countMax: number): T[] {
    const due: T[] = [];
    for (let first = this.#heap[0]; first && first.atMs <= nowMs; first = this.#heap[0]) {
      const { item } = first;
      if (item.isGone) this.#removeFirst();
      else if (item.deadlineMs > nowMs) this.#moveFirst(item.deadlineMs);
      else if (due.length >= countMax) break;
      else {
        due.push(item);
        this.#removeFirst();
      }
    }
    return due;
  }

  #moveFirst(atMs: number): void {
    const [first] = this.#heap;
    if (first) first.atMs = atMs;
    this.#sink(0);
  }

  #removeFirst(): void {
    const [first] = this.#heap;
    if (first?.item.isGone) this.#gone = Math.max(0, this.#gone - 1);
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(from: number): void {
    const heap = this.#heap;
    for (let at = from; at > 0; ) {
      const above = (at - 1) >>> 1;
      if (this.#at(above) <= this.#at(at)) return;
      [heap[above], heap[at]] = [heap[at] as Place<T>, heap[above] as Place<T>];
      at = above;
    }
  }

  #sink(from: number): void {
    const heap = this.#heap;
    for (let at = from; ; ) {
      const left = 2 * at + 1;
      const below = this.#at(left + 1) < this.#at(left) ? left + 1 : left;
      if (this.#at(below) >= this.#at(at)) return;
      [heap[below], heap[at]] = [heap[at] as Place<T>, heap[below] as Place<T>];
      at = below;
    }
  }

  #at(place: number): number {
    return this.#heap[place]?.atMs ?? Number.POSITIVE_INFINITY;
  }
}
