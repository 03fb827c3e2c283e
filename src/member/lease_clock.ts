import { limits } from '../config.ts';

/**
 * Time as it counts for leases: it stands still while this member does. A leader that was paused,
 * or whose clock was set forward, has not heard the keepalives that came meanwhile, so that time
 * must not end a lease. Nobody may rely on a lease ending on time, only on its not ending early.
 */
export class LeaseClock {
  readonly #nowMs: () => number;
  #seenMs: number;
  #countedMs = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#seenMs = nowMs();
  }

  /** Milliseconds counted so far. Has to be asked often: longer steps count as the longest one. */
  nowMs(): number {
    const nowMs = this.#nowMs();
    const step = Math.min(Math.max(nowMs - this.#seenMs, 0), limits.leaseClockStepMsMax);
    this.#seenMs = nowMs;
    this.#countedMs += step;
    return this.#countedMs;
  }
}
