import type { RowCodec } from './row_codec.ts';

/** What memory knows of one key of a table. */
export interface Slot<T> {
  readonly name: string;
  /** Null: there is no such key. */
  value: T | null;
  /** Whether the store has a row of this key. */
  stored: boolean;
  /** Whether the store has yet to be told of the value. */
  dirty: boolean;
  /** The generation that it was put into last, or {@link UNHELD}. */
  generation: number;
}

/** Of a slot that no generation has: it is forgotten with whoever asked for it. */
export const UNHELD = -1;

/** How much is remembered of what the store has, too. */
export interface SlotLimits {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

/**
 * The slots of a table, in two generations. What was set or asked for lately is in the young one;
 * when that has taken in half of what may be remembered it becomes the old one, and the old one is
 * forgotten. Slots that are dirty always go on to the young one.
 *
 * What was taken in counts, not what is left of it: values may be parts of buffers that they share
 * with values which have been replaced since. Whatever is in such a buffer was taken in, so that
 * what both generations hold on to is bounded by `bytesMax` and one flush; at worst by half more,
 * as a buffer is closed by a value that is too large for the rest of it. For that, a value that
 * goes on to the next generation because it is asked for gets a buffer of its own.
 */
export class Slots<T> {
  readonly #codec: RowCodec<T>;
  readonly #limits: SlotLimits | null;
  #young = new Map<string, Slot<T>>();
  #old = new Map<string, Slot<T>>();
  #generation = 0;
  /** The young generation is full when it has so many. */
  #entriesMax: number;
  /** What the young generation has taken in. */
  #bytes = 0;

  /** @param limits null: only what is dirty is remembered */
  constructor(codec: RowCodec<T>, limits: SlotLimits | null) {
    this.#codec = codec;
    this.#limits = limits;
    this.#entriesMax = limits === null ? Number.POSITIVE_INFINITY : limits.entriesMax / 2;
  }

  find(name: string): Slot<T> | undefined {
    return this.#young.get(name) ?? this.#old.get(name);
  }

  /** The same for somebody who will most likely ask for it again. */
  use(name: string): Slot<T> | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const slot = this.#old.get(name);
    if (slot === undefined) return undefined;
    if (slot.value !== null) slot.value = this.#codec.detach?.(slot.value) ?? slot.value;
    this.hold(slot);
    this.takeIn(this.sizeOf(slot));
    return slot;
  }

  /** Remembers what the store has: unless it would take the place of very much else. */
  remember(slot: Slot<T>): void {
    const size = this.sizeOf(slot);
    if (this.#limits === null || size > this.#limits.bytesMax / 2) return;
    this.hold(slot);
    this.takeIn(size);
  }

  /** Puts the slot into the young generation. */
  hold(slot: Slot<T>): void {
    if (slot.generation === this.#generation) return;
    slot.generation = this.#generation;
    this.#young.set(slot.name, slot);
  }

  /** A value of this size was put into a slot of the young generation. */
  takeIn(bytes: number): void {
    if (this.#limits === null) return;
    this.#bytes += bytes;
    const isFull = this.#bytes > this.#limits.bytesMax / 2 || this.#young.size > this.#entriesMax;
    if (isFull) this.#age(this.#limits);
  }

  forget({ name }: Slot<T>): void {
    this.#young.delete(name);
    this.#old.delete(name);
  }

  /** No slot is dirty any more. */
  flushed(): void {
    if (this.#limits === null) this.#young.clear();
  }

  /** Bytes of memory, about. */
  sizeOf({ name, value }: Slot<T>): number {
    return 32 + name.length + (value === null ? 0 : this.#codec.sizeOf(value));
  }

  #age({ entriesMax }: SlotLimits): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#generation++;
    for (const slot of this.#old.values()) if (slot.dirty) this.hold(slot);
    this.#entriesMax = this.#young.size + entriesMax / 2;
    this.#bytes = 0;
  }
}
