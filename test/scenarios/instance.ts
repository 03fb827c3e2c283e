import { assert, must } from '../../src/lib/assert.ts';
import { utf8 } from '../../src/lib/bytes.ts';
import { encodeConfChange } from '../../src/raft/confchange.ts';
import type { Input } from '../../src/raft/input.ts';
import type { ConfChange } from '../../src/raft/membership.ts';
import { EntryKind, type Message } from '../../src/raft/message.ts';
import type { RaftOptions } from '../../src/raft/options.ts';
import type { Output, PersistBatch } from '../../src/raft/output.ts';
import { Raft } from '../../src/raft/raft.ts';
import { stateLine, type Write } from './disk.ts';
import { numberOf, printApplied, printBatch, printProposal, printSoftState } from './print.ts';
import type { Member, World } from './world.ts';

/**
 * One life of a member: a core and the runtime around it, which carries out what the core asks
 * for.
 */
export class Instance {
  readonly raft: Raft;
  readonly epoch: number;
  readonly member: Member;
  /** Takes part in nothing until it is resumed. */
  paused = false;
  deadlineMs: number | null = null;
  /** In memory: what this instance has applied. */
  state: string[];
  /** Writes not confirmed, oldest first. */
  readonly unconfirmed: Write[] = [];
  /** Proposals the core did not take. */
  readonly dropped: string[] = [];
  /** Peers for which the core asked for a snapshot, in order. */
  readonly wanted: number[] = [];
  /** Committed entries that wait for `apply`, when that is manual. */
  readonly unapplied: Output['apply'][number][] = [];
  readonly #world: World;
  readonly #inbox: Input[] = [];
  readonly #reads = new Map<number, string>();
  readonly #answers = new Map<string, string>();
  /** Reads whose index is confirmed and not applied yet. */
  #confirmed: Output['reads'][number][] = [];
  #nextRead = 1;

  constructor(world: World, member: Member, options: RaftOptions) {
    this.#world = world;
    this.member = member;
    this.epoch = member.disk.epoch;
    this.state = [...member.disk.state];
    this.raft = new Raft(options, member.disk.initial(), member.disk, world.nowMs);
  }

  /** `2`, or `2@1` once another instance has taken its place. */
  get label(): string {
    return `${this.member.number}${this.superseded ? `@${this.epoch}` : ''}`;
  }

  get superseded(): boolean {
    return this.epoch < this.member.disk.epoch;
  }

  /** Steps the core, and again for what that brings about at once. */
  step(inputs: readonly Input[]): void {
    this.#inbox.push(...inputs);
    while (this.#inbox.length > 0) {
      const output = this.raft.step(this.#inbox.splice(0), this.#world.nowMs);
      this.#carryOut(output);
    }
  }

  /** Proposes a change of configuration. */
  reconfigure(change: ConfChange): void {
    const proposals = [{ kind: EntryKind.confChange, data: encodeConfChange(change) }];
    this.step([{ type: 'propose', proposals }]);
  }

  propose(texts: readonly string[]): void {
    const proposals = texts.map((text) => ({ kind: EntryKind.normal, data: utf8(text) }));
    this.step([{ type: 'propose', proposals }]);
  }

  read(label: string): void {
    const id = this.#nextRead++;
    this.#reads.set(id, label);
    this.#world.verdicts.asks(this, id);
    this.step([{ type: 'read', id }]);
  }

  /** `at 5`, `fails noLeader`, or null while the read waits. */
  answerTo(label: string): string | null {
    return this.#answers.get(label) ?? null;
  }

  /**
   * The disk confirms the oldest writes. A superseded instance is told so, but nothing reaches the
   * rows.
   */
  confirm(count: number): void {
    for (const write of this.unconfirmed.splice(0, count)) {
      if (!this.superseded) this.member.disk.confirm(write);
      for (const message of write.held) this.#send(message);
      if (!write.batch) continue;
      const { sequence } = write.batch;
      if (!this.member.diskAuto) this.#world.print(`${this.label} durable #${sequence}`);
      this.#inbox.push({ type: 'persisted', sequence });
    }
    this.step([]);
  }

  /** Applies committed entries that wait. */
  apply(): void {
    const entries = this.unapplied.splice(0);
    if (entries.length === 0) return;
    for (const entry of entries) {
      assert(entry.index === this.state.length + 1, `${this.label} applies ${entry.index} next`);
      this.#world.verdicts.applies(this, entry);
      this.state.push(stateLine(entry));
    }
    this.#world.print(`${this.label} applies ${entries.map(printApplied).join(' ')}`, true);
    this.#inbox.push({ type: 'applied', index: this.state.length });
    this.#answerReads();
  }

  /**
   * The order is the durability contract: send, write, apply, and the rest when the write is
   * durable.
   */
  #carryOut(output: Output): void {
    this.deadlineMs = output.deadlineMs;
    if (output.softState) {
      if (output.softState.role === 'leader') {
        this.#world.verdicts.leads(this.member.number, output.softState.term);
      }
      this.#world.print(`${this.label} ${printSoftState(output.softState)}`);
    }
    for (const message of output.sendNow) this.#send(message);
    if (output.persist) this.#install(output.persist);
    this.unapplied.push(...output.apply);
    const applied = this.state.length;
    if (this.member.applyAuto) this.apply();
    this.#write(output, this.state.length > applied);
    this.#answer(output);
    if (output.more) this.#inbox.push({ type: 'tick' });
  }

  #install({ snapshot }: PersistBatch): void {
    if (!snapshot) return;
    const { meta, transferId } = snapshot;
    const state = must(this.member.disk.staged.get(transferId), `${transferId} is not staged`);
    assert(state.length === meta.index, `${transferId} holds ${state.length}, not ${meta.index}`);
    this.#world.verdicts.installs(this, state);
    this.state = [...state];
    this.unapplied.length = 0;
    this.#world.print(`${this.label} installs snapshot ${meta.index}/${meta.term}`);
  }

  #write(output: Output, applied: boolean): void {
    const idle = this.unconfirmed.length === 0 && !this.superseded;
    if (output.persist || (applied && idle)) {
      const { confState } = this.raft.status;
      this.unconfirmed.push({ batch: output.persist, state: [...this.state], confState, held: [] });
      if (output.persist && !this.member.diskAuto) {
        this.#world.print(`${this.label} writes ${printBatch(output.persist)}`);
      }
    }
    const last = this.unconfirmed.at(-1);
    for (const message of output.sendAfterPersist) {
      if (last) last.held.push(message);
      else this.#send(message);
    }
    const auto = this.member.diskAuto || !this.unconfirmed.some(({ batch }) => batch !== null);
    if (auto && !this.superseded) this.confirm(this.unconfirmed.length);
  }

  #answer(output: Output): void {
    this.#confirmed.push(...output.reads);
    this.#answerReads();
    for (const { id, reason } of output.readFailures) this.#settle(id, `fails ${reason}`);
    if (output.dropped.length > 0) {
      const texts = output.dropped.map(printProposal);
      this.dropped.push(...texts);
      this.#world.print(`${this.label} drops ${texts.join(' ')}`);
    }
    for (const peer of output.snapshotsWanted) {
      this.wanted.push(numberOf(peer));
      this.#world.print(`${this.label} wants a snapshot for ${numberOf(peer)}`);
    }
  }

  /** The core confirms an index; a read is answered from a state that has reached it (R5). */
  #answerReads(): void {
    const confirmed = this.#confirmed;
    this.#confirmed = confirmed.filter(({ index }) => index > this.state.length);
    for (const { id, index } of confirmed) {
      if (index > this.state.length) continue;
      this.#world.verdicts.answers(this, id, index);
      this.#settle(id, `at ${index}`);
    }
  }

  #settle(id: number, answer: string): void {
    const label = must(this.#reads.get(id), `read ${id} is answered twice`);
    this.#reads.delete(id);
    this.#answers.set(label, answer);
    this.#world.print(`${this.label} read ${label} ${answer}`);
  }

  #send(message: Message): void {
    this.#world.verdicts.leaves(this, message);
    this.#world.network.send(message);
  }
}
