import { type Caller, INTERNAL } from '../api/caller.ts';
import { EtcdError } from '../api/error.ts';
import type { Command } from '../api/gen/command_pb.ts';
import { limits } from '../config.ts';
import { assert } from '../lib/assert.ts';
import type { Input } from '../raft/input.ts';
import type { MemberId, Message } from '../raft/message.ts';
import type { Output, PersistBatch, SoftState } from '../raft/output.ts';
import { Raft } from '../raft/raft.ts';
import type { StateMachine } from '../state/machine.ts';
import type { MembershipChange } from '../state/membership.ts';
import { Alarm } from './alarm.ts';
import { Answers } from './answers.ts';
import { Checkpoints } from './checkpoints.ts';
import { Clients } from './clients.ts';
import { agrees, confStateOf } from './conf_state.ts';
import { Confirming } from './confirming.ts';
import { Gathering } from './gathering.ts';
import { HeldProposals } from './held_proposals.ts';
import type { NodeHost } from './host.ts';
import { numberOfId } from './identity.ts';
import { startInstance } from './instance.ts';
import { type NodeOptions, type NodeStatus, raftOptions } from './node_options.ts';
import type { ProposalOutcome } from './proposals.ts';
import { Replica } from './replica.ts';
import { SnapshotTransfers } from './snapshot_transfers.ts';
import { maySendAhead, type Turn } from './turn.ts';
import { Turns } from './turns.ts';
import { Vouching } from './vouching.ts';

export type { NodeOptions, NodeStatus } from './node_options.ts';

/**
 * One member of the cluster without its platform: the core, the state machine and the order in
 * which they are driven. Everything that arrives is queued, and a turn works off the queue:
 *
 *   1. step the core with everything queued
 *   2. send what need not wait for the disk
 *   3. in one stretch: write log rows, apply committed entries, write state rows that are due; send
 *      what speaks of them, which the disk's gate holds back until they are durable; answer clients
 *   4. when the rows are durable: tell the core, if it needs to know
 *
 * A leader without a crowd does 3 in an event of its own, once what 2 sent has left. While rows are
 * on their way new proposals gather, and go into one batch after them (group commit).
 */
export class Node {
  readonly #options: NodeOptions;
  readonly #host: NodeHost;
  readonly #raft: Raft;
  readonly #replica: Replica;
  readonly #clients: Clients;
  readonly #answers: Answers;
  readonly #alarm: Alarm;
  #inputs: Input[] = [];
  readonly #held = new HeldProposals();
  readonly #gathering = new Gathering();
  #soft: SoftState = { role: 'follower', leader: null, term: 0 };
  readonly #turns: Turns;
  readonly #checkpoints: Checkpoints;
  #syncsInFlight = 0;
  readonly #confirming = new Confirming();
  readonly #vouching: Vouching;
  readonly #epoch: number;
  readonly #transfers: SnapshotTransfers;
  #stopped = false;

  /** Loads the member from its rows alone. */
  constructor(options: NodeOptions, host: NodeHost) {
    this.#options = options;
    this.#host = host;
    const loaded = startInstance(host.disk, options.initialMembers);
    this.#replica = new Replica(host.disk.state, options, () => this.#membersChanged());
    const { appliedIndex, membership } = this.machine;
    const { confIndex } = membership;
    this.#checkpoints = new Checkpoints(host.disk, options, loaded.snapshot.index, confIndex);
    this.#epoch = loaded.epoch;
    this.#transfers = new SnapshotTransfers(options.memberId, loaded.epoch, host);
    this.#answers = new Answers(host.links);
    this.#alarm = new Alarm(host);
    this.#vouching = new Vouching(options.heartbeatIntervalMs);
    this.#turns = new Turns(host, () => this.guard(() => this.#turn()));
    this.#clients = new Clients(options.memberId, loaded.epoch, this.#turns);
    const isOld = options.bugs?.has('conf-of-wrong-index');
    const confState = isOld ? loaded.snapshot.confState : confStateOf(membership.all);
    const removed = membership.isRemoved(numberOfId(options.memberId));
    this.#raft = new Raft(
      raftOptions(options),
      { ...loaded, applied: appliedIndex, confState, confIndex, removed },
      host.disk,
      host.nowMs(),
    );
  }

  /** Nothing is sent before the new epoch is durable. */
  start(): void {
    this.#sync(undefined, () => {
      this.#turns.open();
      this.#enqueue({ type: 'tick' });
    });
  }

  get machine(): StateMachine {
    return this.#replica.machine;
  }

  get soft(): SoftState {
    return this.#soft;
  }

  get status(): NodeStatus {
    return {
      raft: this.#raft.status,
      ...this.#clients.status,
    };
  }

  /**
   * Messages of one peer. `reply` is called once, with the messages for that peer that came of
   * them, when these may leave.
   */
  receive(messages: readonly Message[], reply: (messages: readonly Message[]) => void): void {
    const [first] = messages;
    if (this.#stopped || first === undefined) return reply([]);
    for (const message of messages) {
      if (message.type === 'propose') this.#held.add(message);
      else this.#inputs.push({ type: 'message', message });
    }
    this.#answers.open(first.from, messages, reply, this.#nowMs);
    if (this.#inputs.length > 0) this.#turns.schedule();
    else this.#proposalsArrived(false);
  }

  /** Messages that answer ours: nobody waits for what comes of them. */
  receiveReplies(messages: readonly Message[]): void {
    if (this.#stopped) return;
    for (const message of messages) this.#inputs.push({ type: 'message', message });
    const onlyAcks = messages.every(({ type }) => type === 'appendReply');
    // Acknowledgements that change nothing, as the second of two that made a quorum with the first,
    // are told to the core with whatever comes next.
    if (!onlyAcks || !this.#raft.isSettled) this.#turns.schedule();
    else this.#alarm.noLaterThan(this.#nowMs + limits.commitDelayMs);
  }

  /**
   * A write. `done` is called once: with what applying it did, or why that is not known to have
   * happened. `onlyInTerm`: see proto/command.proto. Without a caller it is the member's own doing.
   */
  propose(
    request: Command['request'],
    timeoutMs: number,
    done: (outcome: ProposalOutcome) => void,
    onlyInTerm = 0,
    caller: Caller = INTERNAL,
  ): void {
    if (this.#stopped) return done({ error: EtcdError.of('stopped') });
    const command = { timeMs: this.#host.wallClockMs(), onlyInTerm, caller, request };
    this.#clients.propose(command, this.#nowMs + timeoutMs, done);
    this.#proposalsArrived(true);
  }

  /**
   * A change of membership, by the leader alone: elsewhere it fails with `notLeader`. `done` is
   * called once, as with {@link propose}; unlike other writes it is never proposed a second time.
   */
  proposeConfChange(
    request: MembershipChange,
    timeoutMs: number,
    done: (outcome: ProposalOutcome) => void,
  ): void {
    if (this.#stopped) return done({ error: EtcdError.of('stopped') });
    if (this.#soft.role !== 'leader') return done({ error: EtcdError.of('notLeader') });
    const timeMs = this.#host.wallClockMs();
    this.#clients.proposeConfChange(request, timeMs, this.#nowMs + timeoutMs, done);
    this.#proposalsArrived(true);
  }

  /**
   * Linearizability: on success the local state machine contains every write completed before the
   * call.
   */
  barrier(timeoutMs: number, done: (error: EtcdError | null) => void): void {
    if (this.#stopped) return done(EtcdError.of('stopped'));
    this.#clients.read(this.#nowMs + timeoutMs, done);
    // Otherwise the answer to the question under way does.
    if (this.#clients.readsDue) this.#turns.schedule(true);
  }

  /** One chunk of a snapshot, in order; false when it does not continue what is staged. */
  receiveChunk(transferId: string, sequence: number, chunk: Uint8Array): boolean {
    return !this.#stopped && this.#replica.receiveChunk(transferId, sequence, chunk);
  }

  /**
   * Does something with the state. What goes wrong in it ends the member, and its last writes with
   * it: half a change must not become durable, and the rows are what is known to be good.
   */
  guard<T>(work: () => T): T | null {
    try {
      return this.#stopped ? null : work();
    } catch (error) {
      this.#fail(error);
      return null;
    }
  }

  snapshotStatus(to: MemberId, transferId: string, index: number, term: number, ok: boolean): void {
    if (!this.#transfers.ended(to, transferId)) return;
    this.#enqueue({ type: 'snapshotStatus', to, transferId, index, term, ok });
  }

  /** Messages to the peer were lost for certain; writes of our clients among them? */
  unreachable(peer: MemberId, withProposals: boolean): void {
    this.#enqueue({ type: 'unreachable', peer });
    if (!withProposals || peer !== this.#soft.leader) return;
    this.#clients.wayFailed(this.#nowMs + this.#options.heartbeatIntervalMs);
  }

  transferLeadership(to: MemberId): void {
    this.#enqueue({ type: 'transferLeadership', to });
  }

  /** The time asked for with setAlarm has come. */
  tick(): void {
    this.#enqueue({ type: 'tick' });
  }

  /** Refuses what waits and does nothing any more. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#turns.close();
    this.#alarm.set([]);
    this.#clients.failAll(EtcdError.of('stopped'));
    this.#answers.releaseAll();
  }

  get #nowMs(): number {
    return this.#host.nowMs();
  }

  #enqueue(input: Input): void {
    if (this.#stopped) return;
    this.#inputs.push(input);
    this.#turns.schedule();
  }

  #fail(error: unknown): void {
    this.stop();
    this.#host.fatal(error instanceof Error ? error : new Error(String(error)));
  }

  #turn(): void {
    const nowMs = this.#nowMs;
    this.#expire(nowMs);
    const answering = this.#answers.take();
    const inputs = this.#takeInputs(nowMs);
    const compacted = this.#checkpoints.compactionDue;
    if (compacted !== null) inputs.push({ type: 'compact', index: compacted });
    const output = this.#raft.step(inputs, nowMs);
    if (this.#vouching.needsLook(output, nowMs)) this.#host.disk.touch();
    this.#answers.sendNow(output.sendNow, answering);
    if (output.softState) this.#softStateChanged(output.softState);
    if (this.#soft.role !== 'leader') this.#answers.endProposals();
    this.#clients.dropped(output.dropped, nowMs + this.#options.heartbeatIntervalMs);
    const turn: Turn = { nowMs, output, answering, compacted };
    if (this.#turns.crowded || !maySendAhead(this.#soft.role, turn)) return this.#complete(turn);
    this.#turns.close();
    const rest = () => {
      this.#complete(turn);
      this.#turns.open();
    };
    this.#host.defer(() => this.guard(rest));
  }

  /** Writes, applies and answers. */
  #complete({ nowMs, output, answering, compacted }: Turn): void {
    if (output.persist) this.#write(output.persist);
    const results = this.#replica.apply(output.apply);
    if (results.length > 0) this.#options.onTurnApplied?.(this.#nowMs - nowMs);
    const flushed = this.#checkpoints.flushIfDue(this.machine) || output.snapshotsWanted.length > 0;
    this.#sendSnapshots(output.snapshotsWanted);
    if (compacted !== null) {
      this.#checkpoints.compact(compacted, this.#raft.confStateAt(compacted));
    }
    const release = () => this.#answers.release(answering, output.sendAfterPersist);
    const { persist } = output;
    if (persist !== null || output.sendAfterPersist.length > 0) this.#host.disk.gate(release);
    else release();
    const confirms = this.#confirming.confirms(persist, this.#soft.role);
    if (confirms || flushed || compacted !== null) this.#sync(persist?.sequence);

    for (const result of results) this.#options.onApplied?.(result);
    this.#clients.answer(results, output, this.machine.appliedIndex);
    this.#setAlarm(nowMs, output);
    if (output.more || this.#clients.readsDue || this.#inputs.length > 0) this.#turns.schedule();
  }

  /** New proposals wait while rows are on their way: they all go into the next batch. */
  get #mayPropose(): boolean {
    if (this.#syncsInFlight > 0) return false;
    const waiting = this.#clients.queuedCount + this.#held.count;
    const isOutstanding =
      this.#soft.role === 'leader' ? this.#raft.hasUncommitted : this.#clients.outstanding;
    return this.#gathering.isComplete(this.#nowMs, waiting, isOutstanding);
  }

  #proposalsArrived(fromClients: boolean): void {
    if (this.#mayPropose) this.#turns.schedule(fromClients);
    // Otherwise the end of the batch under way does.
    else if (this.#syncsInFlight === 0) this.#alarm.noLaterThan(this.#gathering.dueMs);
  }

  #takeInputs(nowMs: number): Input[] {
    const inputs = this.#inputs.filter((input) => this.#replica.isInstallable(input));
    this.#inputs = [];
    this.#replica.report(inputs);
    const mayPropose = this.#mayPropose;
    const { machine } = this;
    let taken = mayPropose ? this.#held.take(inputs) : 0;
    taken += this.#clients.take(inputs, { nowMs, soft: this.#soft, machine, mayPropose });
    if (taken > 0) this.#gathering.left(taken, nowMs);
    return inputs;
  }

  #write(batch: PersistBatch): void {
    this.#host.disk.write(batch);
    this.#checkpoints.wrote(batch.entries);
    if (!batch.snapshot) return;
    // The staged snapshot has taken the place of state and log.
    const { index } = batch.snapshot.meta;
    this.#replica.installed(index);
    this.#checkpoints.installed(index);
    const { memberId } = this.#options;
    this.#clients.installed(this.machine.lastSequence(memberId, this.#epoch));
    this.#membersChanged();
    this.#options.onRestored?.();
  }

  #membersChanged(): void {
    // Both change by the same entries. If ever they differ, it must not be left to chance whom the
    // member believes.
    const members = this.machine.membership.all;
    const { confState } = this.#raft.status;
    assert(agrees(confState, members), 'the core counts others than the members on record');
    this.#options.onMembers?.();
  }

  /** Asks for word that everything written so far is durable, with this batch. */
  #sync(sequence?: number, then?: () => void): void {
    this.#syncsInFlight++;
    const { flushedIndex } = this.#checkpoints;
    this.#host.disk.sync((error) => {
      if (this.#stopped) return;
      if (error) return this.#fail(error);
      this.#syncsInFlight--;
      this.#checkpoints.durable(flushedIndex);
      if (sequence !== undefined) this.#inputs.push({ type: 'persisted', sequence });
      then?.();
      // A follower has said already what it wrote for, a leader waits for its peers as well: the
      // core hears of it with what comes next.
      const waits = this.#clients.writesQueued || this.#held.count > 0;
      const mayWait = this.#soft.role === 'follower' || this.#raft.needsPeers;
      if (waits || !mayWait) this.#turns.schedule();
    });
  }

  #softStateChanged(soft: SoftState): void {
    const moved = soft.leader !== this.#soft.leader || soft.term !== this.#soft.term;
    this.#soft = soft;
    this.#options.onSoftState?.(soft);
    if (!moved) return;
    this.#clients.leaderMoved(soft);
    this.#turns.schedule();
  }

  #expire(nowMs: number): void {
    const { electionTimeoutMs, heartbeatIntervalMs } = this.#options;
    this.#clients.expire(nowMs, this.#soft, electionTimeoutMs);
    this.#answers.expire(nowMs - electionTimeoutMs, nowMs - 2 * heartbeatIntervalMs);
  }

  #setAlarm(nowMs: number, { deadlineMs }: Output): void {
    this.#alarm.set([deadlineMs, ...this.#clients.deadlinesMs(nowMs)]);
    const canPropose = this.#mayPropose && this.#soft.leader !== null;
    const queued = this.#clients.writesQueued && !this.#clients.isHeld(nowMs);
    if (canPropose && (queued || this.#held.count > 0)) this.#turns.schedule();
    // Overdue ones wait for something else: a leader, or the disk.
    const { dueMs } = this.#gathering;
    const gathers = this.#clients.writesQueued || this.#held.count > 0;
    if (gathers && dueMs > nowMs) this.#alarm.noLaterThan(dueMs);
  }

  #sendSnapshots(peers: readonly MemberId[]): void {
    for (const to of peers) {
      const { index, term, next, close } = this.#checkpoints.openSnapshot(this.machine);
      const meta = { index, term, confState: this.#raft.confStateAt(index) };
      this.#transfers.begin(to, { meta, next, close });
    }
  }
}
