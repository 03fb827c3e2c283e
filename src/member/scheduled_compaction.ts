import { limits } from '../config.ts';
import type { StateMachine } from '../state/machine.ts';

/** How often a compaction that has to wait looks whether it may go on. */
const WAIT_MS = 250;

export interface ScheduledCompactionHost {
  machine(): StateMachine;
  guard<T>(work: () => T): T | null;
  setTimer(callback: () => void, ms: number): void;
}

/**
 * The removal of rows that a compaction has given free: a bounded slice at a time, other work in
 * between. While nothing is to be removed there is no timer.
 */
export class ScheduledCompaction {
  readonly #host: ScheduledCompactionHost;
  #running: Promise<void> | null = null;

  constructor(host: ScheduledCompactionHost) {
    this.#host = host;
  }

  /** Begins, or goes on. Resolves when no row of a compacted version is left. */
  run(): Promise<void> {
    this.#running ??= this.#remove().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #remove(): Promise<void> {
    const host = this.#host;
    while (host.machine().compactionPending) {
      // A snapshot that is on its way to a peer needs what would be removed.
      const isMore = host.guard(() => host.machine().compactSlice());
      if (isMore === null || !host.machine().compactionPending) return;
      const pauseMs = isMore ? limits.compactionPauseMs : WAIT_MS;
      await new Promise<void>((resolve) => host.setTimer(resolve, pauseMs));
    }
  }
}
