import type { StateMachine } from '../state/machine.ts';

/** How often a compaction that has to wait looks whether it may go on. */
const PAUSED_MS = 250;

export interface RowRemovalHost {
  machine(): StateMachine;
  /** Runs the work; null when the member has stopped, or stops because of it. */
  guard<T>(work: () => T): T | null;
  setTimer(callback: () => void, ms: number): void;
}

/** Works off scheduled compactions, a bounded slice at a time, other work in between. */
export class RowRemoval {
  readonly #host: RowRemovalHost;
  #running: Promise<void> | null = null;

  constructor(host: RowRemovalHost) {
    this.#host = host;
  }

  /** Resolves when no row of a compacted version is left here. */
  run(): Promise<void> {
    this.#running ??= this.#work().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #work(): Promise<void> {
    const host = this.#host;
    while (host.machine().compactionPending) {
      // A snapshot that is on its way to a peer needs what would be removed.
      const isMore = host.guard(() => host.machine().compactSlice());
      if (isMore === null || !host.machine().compactionPending) return;
      const pauseMs = isMore ? 1 : PAUSED_MS;
      await new Promise<void>((resolve) => host.setTimer(resolve, pauseMs));
    }
  }
}
