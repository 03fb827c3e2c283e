import { limits } from '../config.ts';
import type { Outlet } from './watcher.ts';

/**
 * Says which outlets can take more. One that is slow waits until its buffer is nearly empty; and
 * while all together hold too much, only those can whose buffer is empty: a crowd of clients that
 * do not read must not keep the others waiting. What an outlet misses is in history, and costs no
 * memory.
 */
export class Backlog {
  readonly #outlets = new Set<Outlet>();
  /** Those that call back when they can take more. */
  readonly #waiting = new Set<Outlet>();
  readonly #onRoom: () => void;
  /** Of all outlets: never less than the truth, since buffers shrink by themselves. */
  #bufferedBytes = 0;
  #crowded = false;

  /** @param onRoom called when an outlet that was full can take more */
  constructor(onRoom: () => void) {
    this.#onRoom = onRoom;
  }

  get outlets(): Iterable<Outlet> {
    return this.#outlets;
  }

  add(outlet: Outlet): void {
    this.#outlets.add(outlet);
  }

  delete(outlet: Outlet): void {
    this.#outlets.delete(outlet);
    this.#waiting.delete(outlet);
  }

  /** Whether the outlet can take more now. If not, onRoom is called when it can. */
  hasRoom(outlet: Outlet): boolean {
    if (this.#waiting.has(outlet)) return false;
    if (outlet.bufferedBytes <= (this.#crowded ? 0 : limits.streamHighWaterBytes)) return true;
    this.#waiting.add(outlet);
    outlet.drained(() => {
      if (this.#waiting.delete(outlet)) this.#onRoom();
    });
    return false;
  }

  /** An outlet holds so much more than before. */
  grown(bytes: number): void {
    if (bytes <= 0) return;
    this.#bufferedBytes += bytes;
    const tooMuch = this.#bufferedBytes > limits.watchBufferBytesMax;
    if (tooMuch && !this.#crowded) this.#recount();
  }

  /** To be called now and then: buffers have shrunk. */
  review(): void {
    if (this.#crowded) this.#recount();
  }

  #recount(): void {
    let bytes = 0;
    for (const outlet of this.#outlets) bytes += outlet.bufferedBytes;
    this.#bufferedBytes = bytes;
    this.#crowded = bytes > limits.watchBufferBytesMax;
  }
}
