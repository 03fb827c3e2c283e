import { EtcdError } from '../api/error.ts';
import { limits } from '../config.ts';

interface Waiter {
  readonly deadlineMs: number;
  readonly done: (error: EtcdError | null) => void;
}

interface Round {
  readonly id: number;
  readonly waiters: Waiter[];
}

/** For operators. */
export interface ReadStatus {
  readonly pendingReads: number;
  /** Times that reads ran out of time. */
  readonly slowReads: number;
  /** Questions that the core could not confirm. */
  readonly failedReads: number;
}

/**
 * Linearizable reads of this member's clients. One question to the core is under way at a time; all
 * reads that arrive meanwhile share the next one, so a read index costs the same for one and for a
 * thousand. A confirmed read then waits until the local state machine has applied that index.
 */
export class Reads {
  #waiting: Waiter[] = [];
  #asked: Round | null = null;
  #confirmed: { readonly index: number; readonly waiters: readonly Waiter[] }[] = [];
  #lastId = 0;
  #count = 0;
  #slow = 0;
  #failed = 0;
  #nextDeadlineMs: number | null = null;

  get pendingCount(): number {
    return this.#count;
  }

  get status(): ReadStatus {
    return { pendingReads: this.#count, slowReads: this.#slow, failedReads: this.#failed };
  }

  /** Those that the next question will be asked for. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  get deadlineMs(): number | null {
    return this.#nextDeadlineMs;
  }

  /** Something waits to be asked. */
  get due(): boolean {
    return this.#asked === null && this.#waiting.length > 0;
  }

  add(deadlineMs: number, done: (error: EtcdError | null) => void): void {
    if (this.#count >= limits.pendingReadsMax) {
      done(EtcdError.of('tooManyRequests'));
      return;
    }
    this.#count++;
    if (this.#nextDeadlineMs === null || deadlineMs < this.#nextDeadlineMs) {
      this.#nextDeadlineMs = deadlineMs;
    }
    this.#waiting.push({ deadlineMs, done });
  }

  /** The id of a new question to the core, or null when none is due. */
  ask(): number | null {
    if (!this.due) return null;
    this.#asked = { id: ++this.#lastId, waiters: this.#waiting };
    this.#waiting = [];
    return this.#asked.id;
  }

  /** The core confirmed the question: everything up to `index` must be visible to its readers. */
  confirmed(id: number, index: number): void {
    if (this.#asked?.id !== id) return;
    this.#confirmed.push({ index, waiters: this.#asked.waiters });
    this.#asked = null;
  }

  /** The core could not confirm it. Asking again is safe: a read has no effect. */
  failed(id: number): void {
    if (this.#asked?.id !== id) return;
    this.#failed++;
    this.#waiting = this.#asked.waiters.concat(this.#waiting);
    this.#asked = null;
  }

  /** Answers those whose index has been applied. */
  applied(appliedIndex: number): void {
    if (this.#confirmed.length === 0) return;
    const ready = this.#confirmed.filter(({ index }) => index <= appliedIndex);
    if (ready.length === 0) return;
    this.#confirmed = this.#confirmed.filter(({ index }) => index > appliedIndex);
    for (const { waiters } of ready) this.#answer(waiters, null);
  }

  expire(nowMs: number, error: () => EtcdError): void {
    if (this.#nextDeadlineMs === null || nowMs < this.#nextDeadlineMs) return;
    this.#nextDeadlineMs = null;
    const late: Waiter[] = [];
    const keep = (waiter: Waiter): boolean => {
      if (waiter.deadlineMs <= nowMs) return late.push(waiter) < 0;
      this.#nextDeadlineMs = Math.min(this.#nextDeadlineMs ?? Infinity, waiter.deadlineMs);
      return true;
    };
    this.#waiting = this.#waiting.filter(keep);
    if (this.#asked)
      this.#asked = { id: this.#asked.id, waiters: this.#asked.waiters.filter(keep) };
    this.#confirmed = this.#confirmed.map(({ index, waiters }) => ({
      index,
      waiters: waiters.filter(keep),
    }));
    if (late.length > 0) this.#slow++;
    this.#answer(late, error());
  }

  failAll(error: EtcdError): void {
    const all = [this.#waiting, this.#asked?.waiters ?? []].concat(
      this.#confirmed.map(({ waiters }) => [...waiters]),
    );
    this.#waiting = [];
    this.#asked = null;
    this.#confirmed = [];
    for (const waiters of all) this.#answer(waiters, error);
  }

  #answer(waiters: readonly Waiter[], error: EtcdError | null): void {
    this.#count -= waiters.length;
    for (const { done } of waiters) done(error);
  }
}
