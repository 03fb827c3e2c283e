/** Something that will happen at a point of simulated time. */
interface ScheduledEvent {
  readonly atUs: number;
  readonly sequence: number;
  readonly run: () => void;
}

/**
 * Everything that is still to happen, ordered by (time, order of scheduling): the order is total,
 * so a seed replays the same run. A binary heap.
 */
export class EventQueue {
  readonly #heap: ScheduledEvent[] = [];
  #sequence = 0;

  /** When the earliest event is due; null when nothing will ever happen. */
  get nextAtUs(): number | null {
    return this.#heap[0]?.atUs ?? null;
  }

  push(atUs: number, run: () => void): void {
    const event = { atUs, sequence: this.#sequence++, run };
    const heap = this.#heap;
    let child = heap.length;
    heap.push(event);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(event, above)) break;
      heap[child] = above;
      child = parent;
    }
    heap[child] = event;
  }

  /** The earliest event, taken out. */
  pop(): ScheduledEvent | null {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return null;
    if (heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(event: ScheduledEvent): void {
    const heap = this.#heap;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      let below = heap[child];
      if (below === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, below)) {
        below = right;
        child += 1;
      }
      if (!isBefore(below, event)) break;
      heap[parent] = below;
      parent = child;
    }
    heap[parent] = event;
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.sequence < b.sequence);
}
