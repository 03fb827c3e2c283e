import type { NodeHost } from './host.ts';

/** When a member wants to be called although nothing has arrived. */
export class Alarm {
  readonly #host: Pick<NodeHost, 'setAlarm'>;
  #atMs = Infinity;

  constructor(host: Pick<NodeHost, 'setAlarm'>) {
    this.#host = host;
  }

  /** At the earliest of these times; not at all when there is none. */
  set(timesMs: readonly (number | null)[]): void {
    this.#atMs = Math.min(...timesMs.map((time) => time ?? Infinity));
    this.#host.setAlarm(Number.isFinite(this.#atMs) ? this.#atMs : null);
  }

  /** At this time, or earlier as it was. */
  noLaterThan(atMs: number): void {
    if (atMs < this.#atMs) this.set([atMs]);
  }
}
