/** The timers of one member. At most one alarm is armed; one that rings early does no harm. */
export class Timers {
  readonly #nowMs: () => number;
  #armedAtMs: number | null = null;
  #handle: ReturnType<typeof setTimeout> | null = null;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /**
   * Calls back at that time or earlier. A later wish than the armed one is left to it: the callback
   * asks again, and re-arming on every turn would cost more than a needless tick.
   */
  set(atMs: number | null, callback: () => void): void {
    if (atMs === null) return this.#disarm();
    if (this.#armedAtMs !== null && this.#armedAtMs <= atMs) return;
    this.#disarm();
    this.#armedAtMs = atMs;
    this.#handle = setTimeout(
      () => {
        this.#armedAtMs = null;
        callback();
      },
      Math.max(0, atMs - this.#nowMs()),
    );
  }

  after(callback: () => void, ms: number): void {
    setTimeout(callback, ms);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** A macrotask: everything that arrives in the same turn of the event loop is there by then. */
  defer(callback: () => void): void {
    setTimeout(callback, 0);
  }

  #disarm(): void {
    if (this.#handle !== null) clearTimeout(this.#handle);
    this.#handle = null;
    this.#armedAtMs = null;
  }
}
