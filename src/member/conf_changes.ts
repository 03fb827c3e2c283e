import { encodeCommand } from '../api/command.ts';
import { EtcdError } from '../api/error.ts';
import { limits } from '../config.ts';
import { encodeConfChange } from '../raft/confchange.ts';
import type { MemberChange } from '../raft/membership.ts';
import type { MemberId } from '../raft/message.ts';
import type { StateMachine } from '../state/machine.ts';
import type { MembershipChange } from '../state/membership.ts';
import type { ApplyResult } from '../state/result.ts';
import { idOfNumber } from './identity.ts';
import type { ProposalOutcome } from './proposals.ts';

/** A change that a client waits for, from being asked for to being applied. */
interface Pending {
  readonly request: MembershipChange;
  readonly deadlineMs: number;
  readonly done: (outcome: ProposalOutcome) => void;
  /** As it was handed to the core, in which term. */
  readonly data: Uint8Array;
  readonly sequence: number;
  term: number;
}

/**
 * Changes of membership that clients wait for. Unlike other writes they are proposed by a leader
 * alone, each at most once, and one at a time: what a change is checked against at its proposal is
 * then what it meets when it is applied. So the core's configuration, which takes every change
 * that fits, and the members of the state machine, which say why one is refused, stay the same.
 */
export class ConfChanges {
  readonly #memberId: MemberId;
  readonly #epoch: number;
  #queue: Pending[] = [];
  /** Handed to the core, and perhaps in the log. */
  #handed: Pending[] = [];
  #lastSequence = 0;
  /** In which the core was last handed something, or could have been. */
  #term = 0;

  constructor(memberId: MemberId, epoch: number) {
    this.#memberId = memberId;
    this.#epoch = epoch;
  }

  get pendingCount(): number {
    return this.#queue.length + this.#handed.length;
  }

  /** One may be handed over: none of this leadership is under way. */
  get due(): boolean {
    return this.#queue.length > 0 && !this.#isUnderWay(this.#term);
  }

  get deadlineMs(): number | null {
    const deadlines = [...this.#queue, ...this.#handed].map(({ deadlineMs }) => deadlineMs);
    return deadlines.length === 0 ? null : Math.min(...deadlines);
  }

  add(
    request: MembershipChange,
    timeMs: number,
    deadlineMs: number,
    done: (outcome: ProposalOutcome) => void,
  ): void {
    if (this.pendingCount >= limits.pendingConfChangesMax) {
      return done({ error: EtcdError.of('tooManyRequests') });
    }
    const sequence = ++this.#lastSequence;
    const context = encodeCommand({
      memberId: this.#memberId,
      epoch: BigInt(this.#epoch),
      sequence: BigInt(sequence),
      timeMs: BigInt(timeMs),
      // Whoever may do this was asked before: what every core makes of the entry must not depend
      // on the permissions that hold when it is applied.
      internal: true,
      request,
    });
    const changes = [changeOf(request)];
    const data = encodeConfChange({ transition: 'auto', changes }, context);
    this.#queue.push({ request, deadlineMs, done, data, sequence, term: 0 });
  }

  /**
   * The next change for the core of a leader in that term, when none of it is under way: to be
   * stepped before anything else is applied.
   */
  take(machine: StateMachine, term: number): Uint8Array | null {
    this.#term = term;
    if (this.#isUnderWay(term)) return null;
    for (;;) {
      const next = this.#queue.shift();
      if (next === undefined) return null;
      const error = machine.membershipError(next.request);
      if (error === null) {
        next.term = term;
        this.#handed.push(next);
        return next.data;
      }
      next.done({ error });
    }
  }

  /** The core has not taken it, for now: it is the next to be handed over. */
  putBack(data: Uint8Array): boolean {
    const pending = this.#handed.find((handed) => handed.data === data);
    if (pending === undefined) return false;
    this.#handed = this.#handed.filter((handed) => handed !== pending);
    this.#queue.unshift(pending);
    return true;
  }

  /** One of this instance's changes has been applied. */
  applied(result: ApplyResult): void {
    const { sequence } = result.origin;
    const pending = this.#handed.find((handed) => handed.sequence === sequence);
    if (pending === undefined) return;
    this.#handed = this.#handed.filter((handed) => handed !== pending);
    pending.done({ result });
  }

  /** Another leads: what was not handed over is for that one. What was may still be applied. */
  leadershipLost(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const { done } of queue) done({ error: EtcdError.of('leaderChanged') });
  }

  /** A snapshot took the place of entries: whether changes were among them is not known. */
  installed(): void {
    const handed = this.#handed;
    this.#handed = [];
    for (const { done } of handed) done({ error: EtcdError.of('timeoutDueToConnectionLost') });
  }

  expire(nowMs: number, error: () => EtcdError): void {
    if (this.pendingCount === 0) return;
    const late = [...this.#queue, ...this.#handed].filter(({ deadlineMs }) => deadlineMs <= nowMs);
    if (late.length === 0) return;
    this.#queue = this.#queue.filter((pending) => !late.includes(pending));
    this.#handed = this.#handed.filter((pending) => !late.includes(pending));
    for (const { done } of late) done({ error: error() });
  }

  failAll(error: EtcdError): void {
    const all = [...this.#queue, ...this.#handed];
    this.#queue = [];
    this.#handed = [];
    for (const { done } of all) done({ error });
  }

  #isUnderWay(term: number): boolean {
    return this.#handed.some((pending) => pending.term === term);
  }
}

/** What the core makes of it. A learner that is promoted is a voter that is added. */
function changeOf({ case: name, value }: MembershipChange): MemberChange {
  const id = idOfNumber(value.memberId);
  if (name === 'memberRemove') return { type: 'remove', id };
  const learns = name === 'memberAdd' && value.isLearner;
  return { type: learns ? 'addLearner' : 'addVoter', id };
}
