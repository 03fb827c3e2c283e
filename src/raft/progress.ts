/** What a leader knows of one peer's log, and how it sends to it. */
import { assert } from '../lib/assert.ts';
import type { ConfState } from './message.ts';

/**
 * - probe: where the logs agree is not known; one append at a time.
 * - replicate: known to agree up to `match`; appends are pipelined within a window.
 * - snapshot: the peer needs entries that are compacted; a snapshot is on its way.
 */
export type ReplicationState = 'probe' | 'replicate' | 'snapshot';

interface InflightAppend {
  readonly lastIndex: number;
  readonly sentMs: number;
}

/** A snapshot whose bytes the peer has, so that it can be told to install it. */
export interface StagedSnapshot {
  readonly index: number;
  readonly term: number;
  readonly transferId: string;
  readonly stagedMs: number;
  /** Of that index: kept, because the log behind it may be compacted before it is installed. */
  readonly confState: ConfState;
}

export class Progress {
  #match = 0;
  #next: number;
  #state: ReplicationState = 'probe';
  #inflight: InflightAppend[] = [];
  #awaitedIndex = 0;
  /** Probe: an append is under way and nothing is known of it. Lifted by an answer. */
  probeSent = false;
  /** The largest commit index the peer can have learnt from what was sent. */
  commitSent = 0;
  /**
   * Since when the peer could have been told of a commit that it does not know; null: it knows all.
   */
  commitOwedMs: number | null = null;
  /** The last entry that was proposed through this peer. */
  proposedIndex = 0;
  /** Its clients wait to hear that this one is committed. */
  proposalOpen = false;
  /**
   * Since when there have been entries that it was not sent; -Infinity: it is not to wait for them;
   * null: there are none.
   */
  entriesOwedMs: number | null = null;
  /** Clients watch there. */
  attended = false;
  /** It was among those who completed the last quorum. */
  isPrompt = false;
  /** The newest round the peer was sent. */
  roundSent = 0;
  /** The newest round the peer answered. */
  roundAcked = 0;
  /** When it last answered in this term. */
  heardMs: number;
  staged: StagedSnapshot | null = null;
  /** The transfer failed; the next heartbeat asks for another. */
  snapshotFailed = false;

  constructor(next: number, nowMs: number) {
    assert(next >= 1, 'replication starts at index 1 at the earliest');
    this.#next = next;
    this.heardMs = nowMs;
  }

  /**
   * The peer's log is equal to ours up to here, durably. Never decreases within a leadership (L10).
   */
  get match(): number {
    return this.#match;
  }
  /** The first entry to send next. */
  get next(): number {
    return this.#next;
  }
  get state(): ReplicationState {
    return this.#state;
  }
  get inflight(): number {
    return this.#inflight.length;
  }
  get oldestInflightMs(): number | null {
    return this.#inflight[0]?.sentMs ?? null;
  }

  /** Its clients wait for the entries up to there, to be written or read. */
  awaits(index: number): void {
    this.#awaitedIndex = Math.max(this.#awaitedIndex, index);
  }

  /** They wait for one that it was not sent. */
  get isAwaiting(): boolean {
    return this.#next <= this.#awaitedIndex;
  }

  /** Whether no more entries may be sent before an answer. */
  isPaused(inflightMax: number): boolean {
    if (this.#state === 'probe') return this.probeSent;
    return this.#state === 'snapshot' || this.#inflight.length >= inflightMax;
  }

  /** An append that ends at lastIndex was sent. */
  sent(lastIndex: number, nowMs: number): void {
    assert(this.#state !== 'snapshot', 'entries are sent while a snapshot is needed');
    assert(lastIndex >= this.#next - 1, 'what was sent before is sent again');
    if (this.#state === 'probe') {
      this.probeSent = true;
      return;
    }
    this.#next = lastIndex + 1;
    this.#inflight.push({ lastIndex, sentMs: nowMs });
  }

  /**
   * The peer holds our log up to `index`. Harmless when late or repeated. @returns whether that is
   * news
   */
  accepted(index: number, firstIndex: number): boolean {
    const news = index > this.#match;
    if (news) {
      this.#match = index;
      this.#next = Math.max(this.#next, index + 1);
    }
    if (this.#state === 'probe' && index >= this.#match) this.#replicate();
    if (this.#state === 'snapshot') this.#leaveSnapshot(index, firstIndex);
    while (this.#inflight[0] !== undefined && this.#inflight[0].lastIndex <= index) {
      this.#inflight.shift();
    }
    return news;
  }

  /**
   * The peer's log does not fit after `refusedIndex`; `resumeAfter` is the last index that may.
   * A late refusal of something answered since is ignored.
   */
  refused(refusedIndex: number, resumeAfter: number): void {
    if (this.#state === 'snapshot' || refusedIndex <= this.#match) return;
    if (this.#state === 'probe' && refusedIndex !== this.#next - 1) return;
    this.probe(Math.min(refusedIndex, resumeAfter + 1));
  }

  /** Sends one append at a time from `next` on, or from what is proven. */
  probe(next = this.#match + 1): void {
    this.#state = 'probe';
    this.#next = Math.max(this.#match + 1, next);
    this.#inflight = [];
    this.probeSent = false;
    this.commitSent = 0;
    this.staged = null;
    this.snapshotFailed = false;
  }

  needSnapshot(): void {
    this.#state = 'snapshot';
    this.#next = this.#match + 1;
    this.#inflight = [];
    this.staged = null;
    this.snapshotFailed = false;
  }

  /**
   * Installed, but the log was compacted further meanwhile: probing will ask for the next snapshot.
   */
  #leaveSnapshot(index: number, firstIndex: number): void {
    if (this.#match + 1 >= firstIndex) this.#replicate();
    else if (this.staged !== null && index >= this.staged.index) this.probe();
  }

  #replicate(): void {
    this.#state = 'replicate';
    this.#next = this.#match + 1;
    this.#inflight = [];
    this.probeSent = false;
    this.staged = null;
    this.snapshotFailed = false;
  }
}
