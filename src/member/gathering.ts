import { limits } from '../config.ts';

/**
 * Whether the next batch of writes is complete. A batch costs every member a frame, a row and a
 * commit, as much as some ten writes: while clients come in crowds the next one waits until the
 * last is committed and as many writes have come as the last one had, a few milliseconds at most.
 * (Whoever was answered writes again, and all of them meet in one batch instead of in several that
 * follow each other.) A lone client waits for nobody.
 */
export class Gathering {
  #size = 0;
  #leftMs = 0;

  /** A batch of so many writes left. */
  left(size: number, nowMs: number): void {
    this.#size = size;
    this.#leftMs = nowMs;
  }

  /** @param isOutstanding earlier writes are not committed yet */
  isComplete(nowMs: number, waiting: number, isOutstanding: boolean): boolean {
    if (this.#size <= 1 || nowMs >= this.dueMs) return true;
    return !isOutstanding && waiting >= this.#size;
  }

  /** When it is complete whatever has come. */
  get dueMs(): number {
    return this.#leftMs + limits.gatherMs;
  }
}
