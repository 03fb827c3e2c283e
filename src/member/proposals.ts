import type { Caller } from '../api/caller.ts';
import { encodeCommand } from '../api/command.ts';
import { EtcdError } from '../api/error.ts';
import type { Command } from '../api/gen/command_pb.ts';
import { limits } from '../config.ts';
import { assert } from '../lib/assert.ts';
import type { MemberId } from '../raft/message.ts';
import type { ApplyResult } from '../state/result.ts';

export type ProposalOutcome =
  | { readonly result: ApplyResult; readonly error?: undefined }
  | { readonly error: EtcdError; readonly result?: undefined };

/** A command but for its number. */
export interface CommandParts {
  readonly memberId: MemberId;
  readonly epoch: number;
  readonly timeMs: number;
  readonly onlyInTerm: number;
  readonly caller: Caller;
  readonly request: Command['request'];
}

/** Encodes a command once it has a number, which it may get anew. */
export function commandEncoder(command: CommandParts): (sequence: number) => Uint8Array {
  const { memberId, request } = command;
  const { username, authRevision, internal } = command.caller;
  const epoch = BigInt(command.epoch);
  const timeMs = BigInt(command.timeMs);
  const onlyInTerm = BigInt(command.onlyInTerm);
  return (sequence) =>
    encodeCommand({
      memberId,
      epoch,
      sequence: BigInt(sequence),
      timeMs,
      onlyInTerm,
      username,
      authRevision,
      internal,
      request,
    });
}

/** For operators. */
export interface ProposalStatus {
  readonly pendingProposals: number;
  /** Given up without knowing what became of them. One that found no room was never proposed. */
  readonly failedProposals: number;
}

/** A write of a client of this member, until it is applied, refused or out of time. */
interface Pending {
  /** Encodes the command with the place it has in this member's stream. */
  readonly encode: (sequence: number) => Uint8Array;
  readonly bytes: number;
  readonly deadlineMs: number;
  readonly done: (outcome: ProposalOutcome) => void;
  sequence: number;
}

/**
 * The writes of this member's clients, in order. A command may be handed to the core, and so to a
 * leader, more than once: after a change of leader, or when a connection failed, all that have not
 * been applied are handed over again in the same order. The state machine applies each
 * (member, epoch, sequence) at most once and never out of order, so a repetition is harmless.
 */
export class Proposals {
  /** In order of sequence, because later ones get larger numbers and maps keep insertion order. */
  readonly #pending = new Map<number, Pending>();
  /** Those to hand over next. */
  #queue: Pending[] = [];
  /** What was handed over last, in order. */
  #taken: readonly Pending[] = [];
  /** Something was applied or queued since {@link resendStalled} looked. */
  #moved = false;
  #movedMs = 0;
  #lastSequence = 0;
  #pendingBytes = 0;
  #failedCount = 0;
  #nextDeadlineMs: number | null = null;

  get pendingCount(): number {
    return this.#pending.size;
  }

  get status(): ProposalStatus {
    return { pendingProposals: this.#pending.size, failedProposals: this.#failedCount };
  }

  /** Some are handed over and not applied. */
  get outstanding(): boolean {
    return this.#pending.size > this.#queue.length;
  }

  get queuedCount(): number {
    return this.#queue.length;
  }

  /** When {@link expire} has something to do; may be early. */
  get deadlineMs(): number | null {
    return this.#nextDeadlineMs;
  }

  /** @param bytes about how many it will be encoded to */
  add(
    encode: (sequence: number) => Uint8Array,
    bytes: number,
    deadlineMs: number,
    done: (outcome: ProposalOutcome) => void,
  ): void {
    const isFull = this.#pendingBytes + bytes > limits.pendingProposalBytesMax;
    if (isFull || this.#pending.size >= limits.pendingProposalsMax) {
      done({ error: EtcdError.of('tooManyRequests') });
      return;
    }
    if (this.#nextDeadlineMs === null || deadlineMs < this.#nextDeadlineMs) {
      this.#nextDeadlineMs = deadlineMs;
    }
    this.#pendingBytes += bytes;
    this.#enqueue({ encode, bytes, deadlineMs, done, sequence: 0 });
  }

  /** The next commands for the core, encoded: at least one, then at most so many and so large. */
  take(countMax: number, bytesMax: number): Uint8Array[] {
    let count = 0;
    for (let bytes = 0; count < Math.min(countMax, this.#queue.length); count++) {
      bytes += this.#queue[count]?.bytes ?? 0;
      if (count > 0 && bytes > bytesMax) break;
    }
    const batch = this.#queue.splice(0, count);
    this.#taken = batch.filter(({ sequence }) => this.#pending.has(sequence));
    return this.#taken.map((pending) => pending.encode(pending.sequence));
  }

  /** The last so many of what was just taken were given back: they are the next to be taken. */
  putBack(count: number): void {
    assert(count <= this.#taken.length, 'more is given back than was taken');
    if (count > 0) this.#queue = [...this.#taken.slice(-count), ...this.#queue];
    this.#taken = [];
  }

  /**
   * Hands over again everything when nothing was applied for so long. A leader that has no room, or
   * hands over its leadership and then keeps it, drops what others forward to it without a word.
   */
  resendStalled(nowMs: number, patienceMs: number): void {
    if (this.#moved || this.#pending.size === 0 || this.#queue.length > 0) {
      this.#moved = false;
      this.#movedMs = nowMs;
    } else if (nowMs - this.#movedMs >= patienceMs) {
      this.#movedMs = nowMs;
      this.resend();
    }
  }

  /**
   * Hands over again everything that has not been applied: the way to the leader changed or failed.
   */
  resend(): void {
    this.#queue = [...this.#pending.values()];
  }

  /** One of this instance's commands has been applied. */
  applied(result: ApplyResult): void {
    this.#moved = true;
    const { sequence } = result.origin;
    const skipped: Pending[] = [];
    for (const pending of this.#pending.values()) {
      if (pending.sequence > sequence) break;
      this.#pending.delete(pending.sequence);
      if (pending.sequence !== sequence) {
        skipped.push(pending);
        continue;
      }
      this.#pendingBytes -= pending.bytes;
      pending.done({ result });
    }
    // What has a smaller number and was not applied before can never be: the state machine takes
    // numbers in rising order only. A leader dropped it (overload, a transfer). It starts over.
    if (skipped.length > 0) this.#renumber(skipped);
  }

  /**
   * A snapshot replaced the state: what happened to the commands up to `sequence` cannot be known,
   * the rest has not been applied.
   */
  installed(sequence: number): void {
    for (const pending of this.#pending.values()) {
      if (pending.sequence > sequence) break;
      this.#finish(pending, EtcdError.of('timeoutDueToConnectionLost'));
    }
  }

  expire(nowMs: number, error: () => EtcdError): void {
    if (this.#nextDeadlineMs === null || nowMs < this.#nextDeadlineMs) return;
    let next: number | null = null;
    for (const pending of this.#pending.values()) {
      if (pending.deadlineMs <= nowMs) this.#finish(pending, error());
      else if (next === null || pending.deadlineMs < next) next = pending.deadlineMs;
    }
    this.#nextDeadlineMs = next;
  }

  /** Refuses everything: the member stops. Whether what was handed over happens is unknown. */
  failAll(error: EtcdError): void {
    for (const pending of this.#pending.values()) this.#finish(pending, error);
    this.#queue = [];
  }

  #enqueue(pending: Pending): void {
    pending.sequence = ++this.#lastSequence;
    this.#pending.set(pending.sequence, pending);
    this.#queue.push(pending);
    this.#moved = true;
  }

  #renumber(skipped: readonly Pending[]): void {
    const stale = new Set(skipped);
    this.#queue = this.#queue.filter((pending) => !stale.has(pending));
    for (const pending of skipped) {
      assert(!this.#pending.has(pending.sequence), 'a command is pending under two numbers');
      this.#enqueue(pending);
    }
  }

  #finish(pending: Pending, error: EtcdError): void {
    this.#failedCount++;
    this.#pending.delete(pending.sequence);
    this.#pendingBytes -= pending.bytes;
    pending.done({ error });
  }
}
