import { EtcdError } from '../api/error.ts';
import { marshalledSize } from '../api/size.ts';
import { limits } from '../config.ts';
import type { Input } from '../raft/input.ts';
import { EntryKind, type MemberId } from '../raft/message.ts';
import type { Output, SoftState } from '../raft/output.ts';
import type { StateMachine } from '../state/machine.ts';
import { isMembershipChange, type MembershipChange } from '../state/membership.ts';
import type { ApplyResult } from '../state/result.ts';
import { ConfChanges } from './conf_changes.ts';
import {
  type CommandParts,
  commandEncoder,
  type ProposalOutcome,
  type ProposalStatus,
  Proposals,
} from './proposals.ts';
import { type ReadStatus, Reads } from './reads.ts';
import type { Turns } from './turns.ts';

/** What a turn finds when it takes what clients want. */
export interface TurnView {
  readonly nowMs: number;
  readonly soft: SoftState;
  readonly machine: StateMachine;
  /** No batch is on its way to the disk. */
  readonly mayPropose: boolean;
}

/** Clients of this member that wait: for writes, changes of membership, linearizable reads. */
export class Clients {
  readonly #memberId: MemberId;
  readonly #epoch: number;
  readonly #turns: Turns;
  readonly #proposals = new Proposals();
  readonly #confChanges: ConfChanges;
  readonly #reads = new Reads();
  /** Nothing is handed over before this time: the way to the leader has just failed. */
  #holdUntilMs = 0;

  constructor(memberId: MemberId, epoch: number, turns: Turns) {
    this.#memberId = memberId;
    this.#epoch = epoch;
    this.#turns = turns;
    this.#confChanges = new ConfChanges(memberId, epoch);
  }

  get status(): ProposalStatus & ReadStatus {
    return { ...this.#proposals.status, ...this.#reads.status };
  }

  /** Writes wait to be handed over. */
  get writesQueued(): boolean {
    return this.#proposals.queuedCount > 0 || this.#confChanges.due;
  }

  /** So many of them, but for changes of membership. */
  get queuedCount(): number {
    return this.#proposals.queuedCount;
  }

  /** Writes are handed over and not applied. */
  get outstanding(): boolean {
    return this.#proposals.outstanding;
  }

  get readsDue(): boolean {
    return this.#reads.due;
  }

  propose(
    command: Omit<CommandParts, 'memberId' | 'epoch'>,
    deadlineMs: number,
    done: (outcome: ProposalOutcome) => void,
  ): void {
    const { request } = command;
    const encode = commandEncoder({ memberId: this.#memberId, epoch: this.#epoch, ...command });
    const bytes = request.value ? marshalledSize(request.value) : 0;
    this.#proposals.add(encode, bytes, deadlineMs, done);
  }

  proposeConfChange(
    request: MembershipChange,
    timeMs: number,
    deadlineMs: number,
    done: (outcome: ProposalOutcome) => void,
  ): void {
    this.#confChanges.add(request, timeMs, deadlineMs, done);
  }

  read(deadlineMs: number, done: (error: EtcdError | null) => void): void {
    this.#reads.add(deadlineMs, done);
  }

  /** What is due, as inputs for the core. @returns the number of writes among it */
  take(inputs: Input[], view: TurnView): number {
    const { nowMs, soft, machine, mayPropose } = view;
    let taken = 0;
    if (mayPropose && soft.leader !== null && nowMs >= this.#holdUntilMs) {
      taken = this.#takeProposals(inputs);
      if (soft.role === 'leader') this.#takeConfChange(inputs, machine, soft.term);
    }
    const readers = this.#reads.waitingCount;
    const readId = this.#reads.ask();
    if (readId === null) return taken;
    inputs.push({ type: 'read', id: readId });
    this.#turns.crowded = readers > 1;
    return taken;
  }

  #takeProposals(inputs: Input[]): number {
    const batch = this.#proposals.take(limits.turnProposalsMax, limits.turnProposalBytesMax);
    if (batch.length === 0) return 0;
    this.#turns.crowded = batch.length > 1;
    const proposals = batch.map((data) => ({ kind: EntryKind.normal, data }));
    inputs.push({ type: 'propose', proposals });
    return batch.length;
  }

  #takeConfChange(inputs: Input[], machine: StateMachine, term: number): void {
    if (!this.#confChanges.due) return;
    const data = this.#confChanges.take(machine, term);
    if (data === null) return;
    inputs.push({ type: 'propose', proposals: [{ kind: EntryKind.confChange, data }] });
  }

  /** The core gave these back: they are handed over again a little later. */
  dropped(dropped: readonly Uint8Array[], holdUntilMs: number): void {
    if (dropped.length === 0) return;
    const writes = dropped.filter((data) => !this.#confChanges.putBack(data)).length;
    this.#proposals.putBack(writes);
    this.#holdUntilMs = holdUntilMs;
  }

  /** Our messages to the leader were lost, writes among them. */
  wayFailed(holdUntilMs: number): void {
    this.#holdUntilMs = holdUntilMs;
    this.#proposals.resend();
  }

  /** Another leader or another term. */
  leaderMoved({ role }: SoftState): void {
    this.#holdUntilMs = 0;
    this.#proposals.resend();
    if (role !== 'leader') this.#confChanges.leadershipLost();
  }

  answer(results: readonly ApplyResult[], output: Output, appliedIndex: number): void {
    for (const result of results) {
      const { origin, command } = result;
      if (origin.memberId !== this.#memberId || origin.epoch !== this.#epoch) continue;
      if (isMembershipChange(command.request)) this.#confChanges.applied(result);
      else this.#proposals.applied(result);
    }
    for (const { id, index } of output.reads) this.#reads.confirmed(id, index);
    for (const { id } of output.readFailures) this.#reads.failed(id);
    this.#reads.applied(appliedIndex);
  }

  /** A snapshot took the place of the state, which now contains our writes up to this number. */
  installed(lastSequence: number): void {
    this.#proposals.installed(lastSequence);
    this.#confChanges.installed();
  }

  /** @param patienceMs after so long without any write applied all are handed over again */
  expire(nowMs: number, { leader }: SoftState, patienceMs: number): void {
    const error = () => EtcdError.of(leader === null ? 'timeoutDueToLeaderFail' : 'timeout');
    this.#proposals.expire(nowMs, error);
    this.#proposals.resendStalled(nowMs, patienceMs);
    this.#confChanges.expire(nowMs, error);
    this.#reads.expire(nowMs, () => EtcdError.of('timeout'));
  }

  /** Writes wait only because the way to the leader has failed. */
  isHeld(nowMs: number): boolean {
    return this.writesQueued && this.#holdUntilMs > nowMs;
  }

  /** When a turn has something to do for clients. */
  deadlinesMs(nowMs: number): (number | null)[] {
    return [
      this.isHeld(nowMs) ? this.#holdUntilMs : null,
      this.#proposals.deadlineMs,
      this.#confChanges.deadlineMs,
      this.#reads.deadlineMs,
    ];
  }

  failAll(error: EtcdError): void {
    this.#proposals.failAll(error);
    this.#confChanges.failAll(error);
    this.#reads.failAll(error);
  }
}
