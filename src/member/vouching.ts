import type { Message } from '../raft/message.ts';
import type { Output } from '../raft/output.ts';

/**
 * Whether somebody will take this member's word for something that no row says: an acknowledgement
 * counts for a leader's reads, and so does the question of a follower; a read is served because
 * this is still the member, or still the leader. An instance that was replaced knows nothing of
 * what its successor has promised to others, so it must not give its word: whoever is about to
 * touches the storage first.
 *
 * What follows rows that are written in the same turn needs no such look: writing them is one.
 */
export function vouches({ persist, sendNow, sendAfterPersist, reads }: Output): boolean {
  if (reads.length > 0 || sendNow.some(isWord)) return true;
  return persist === null && sendAfterPersist.some(isWord);
}

/** Remembers when the member has looked. */
export class Vouching {
  readonly #intervalMs: number;
  #touchedMs = Number.NEGATIVE_INFINITY;

  /** @param intervalMs at least so often whoever speaks at all has looked */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /**
   * A heartbeat is a word too: it keeps others from electing. A leader that was replaced while
   * nobody wrote would lead on, and its followers' writes would go to its successor.
   */
  needsLook(output: Output, nowMs: number): boolean {
    const { persist, sendNow } = output;
    const isLate = sendNow.length > 0 && nowMs >= this.#touchedMs + this.#intervalMs;
    const isDue = vouches(output) || (isLate && persist === null);
    if (isDue || persist !== null) this.#touchedMs = nowMs;
    return isDue;
  }
}

function isWord({ type }: Message): boolean {
  return type === 'appendReply' || type === 'readReply' || type === 'read';
}
