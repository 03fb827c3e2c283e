/**
 * A few cores connected in memory, for tests: every message, write and tick is in the test's hand.
 * Disks tell what was written from what is durable, so that a crash can lose the difference.
 */
import { assert, must } from '../lib/assert.ts';
import { seededPrng } from '../lib/prng.ts';
import type { Input, Proposal } from './input.ts';
import { votersOnly } from './membership.ts';
import type { SnapshotMeta } from './message.ts';
import { type ConfState, type Entry, EntryKind, type MemberId, type Message } from './message.ts';
import type { RaftOptions } from './options.ts';
import type { HardState, Output, PersistBatch } from './output.ts';
import { Raft } from './raft.ts';
import type { InitialState, LogReader } from './storage.ts';

export const HEARTBEAT_MS = 100;
export const ELECTION_MS = 1_000;

/** The id of the n-th member. */
export function memberId(n: number): MemberId {
  return n.toString(16).padStart(16, '0');
}

/** Options with small, round figures; `overrides` are the test's point. */
export function testOptions(id: MemberId, overrides: Partial<RaftOptions> = {}): RaftOptions {
  return {
    id,
    prng: seededPrng(Number.parseInt(id, 16)),
    heartbeatIntervalMs: HEARTBEAT_MS,
    electionTimeoutMs: ELECTION_MS,
    appendBytesMax: 1_000_000,
    inflightAppendsMax: 4,
    uncommittedBytesMax: 1_000_000,
    applyBytesMax: 1_000_000,
    cacheBytesMax: 1_000_000,
    quiesceAfterMs: 0,
    ...overrides,
  };
}

/** An entry with a text as its data. */
export function entry(index: number, term: number, text = ''): Entry {
  return { index, term, kind: EntryKind.normal, data: new TextEncoder().encode(text) };
}

export function proposal(text: string): Proposal {
  return { kind: EntryKind.normal, data: new TextEncoder().encode(text) };
}

export function dataText(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

/** Every subset, the empty one first. */
export function subsets<T>(items: readonly T[]): T[][] {
  let all: T[][] = [[]];
  for (const item of items) all = all.concat(all.map((set) => [...set, item]));
  return all;
}

/** What a member has on disk. */
export class MemoryDisk implements LogReader {
  hardState: HardState = { term: 0, vote: null };
  snapshot: SnapshotMeta;
  log: Entry[] = [];
  commit = 0;
  applied = 0;
  confState: ConfState;
  epoch = 0;
  /** How often the core read back what it no longer had in memory. */
  reads = 0;

  constructor(confState: ConfState) {
    this.confState = confState;
    this.snapshot = { index: 0, term: 0, confState };
  }

  get lastIndex(): number {
    return this.snapshot.index + this.log.length;
  }

  write({ hardState, entries, snapshot, commit }: PersistBatch): void {
    if (hardState !== null) this.hardState = hardState;
    if (snapshot !== null) {
      this.snapshot = snapshot.meta;
      this.confState = snapshot.meta.confState;
      this.applied = snapshot.meta.index;
      this.log = [];
    }
    const first = entries[0];
    if (first !== undefined) {
      assert(first.index <= this.lastIndex + 1, 'a gap on disk');
      this.log.length = first.index - this.snapshot.index - 1;
      this.log.push(...entries);
    }
    this.commit = commit;
  }

  compact(index: number): void {
    const term = this.term(index);
    this.log = this.log.slice(index - this.snapshot.index);
    this.snapshot = { index, term, confState: this.confState };
  }

  entries(low: number, high: number, bytesMax: number): readonly Entry[] {
    this.reads++;
    const result: Entry[] = [];
    let bytes = 0;
    for (let index = low; index < high; index++) {
      const item = must(this.log[index - this.snapshot.index - 1], `entry ${index} is not there`);
      bytes += item.data.length;
      if (result.length > 0 && bytes > bytesMax) break;
      result.push(item);
    }
    return result;
  }

  term(index: number): number {
    if (index === this.snapshot.index) return this.snapshot.term;
    return must(this.log[index - this.snapshot.index - 1], `term ${index} is not there`).term;
  }

  initial(): InitialState {
    const { hardState, snapshot, lastIndex, commit, applied, confState, epoch } = this;
    return { hardState, snapshot, lastIndex, commit, applied, confState, epoch };
  }

  /** A copy that later writes do not reach. */
  clone(): MemoryDisk {
    const copy = new MemoryDisk(this.confState);
    return Object.assign(copy, this, { log: [...this.log] });
  }
}

interface UnconfirmedStep {
  readonly sequence: number;
  readonly messages: Message[];
}

/** One member: a core, its disk, and the runtime's duties between them. */
export class TestMember {
  readonly id: MemberId;
  readonly network: TestNetwork;
  readonly overrides: Partial<RaftOptions>;
  raft: Raft;
  disk: MemoryDisk;
  /** The disk as a crash would find it. */
  durable: MemoryDisk;
  /** While false, writes stay unconfirmed until `confirm`. */
  autoPersist = true;
  down = false;
  deadlineMs: number | null = 0;
  readonly outputs: Output[] = [];
  readonly applied: Entry[] = [];
  readonly reads = new Map<number, number>();
  readonly readFailures = new Map<number, string>();
  readonly dropped: string[] = [];
  readonly snapshotsWanted: MemberId[] = [];
  #unconfirmed: UnconfirmedStep[] = [];
  #versions: { sequence: number; disk: MemoryDisk }[] = [];

  constructor(network: TestNetwork, id: MemberId, disk: MemoryDisk, o: Partial<RaftOptions>) {
    this.network = network;
    this.id = id;
    this.overrides = o;
    this.disk = disk;
    this.disk.epoch++;
    this.durable = disk.clone();
    this.raft = this.#boot();
  }

  /** One step, and everything the runtime owes for its output. */
  step(...inputs: Input[]): Output {
    const output = this.raft.step(inputs, this.network.nowMs);
    this.outputs.push(output);
    this.deadlineMs = output.deadlineMs;
    this.network.post(output.sendNow);
    this.#persist(output);
    this.#record(output);
    if (output.apply.length > 0) this.#applyEntries(output.apply);
    if (this.autoPersist) this.confirm();
    if (output.more) this.step({ type: 'tick' });
    return output;
  }

  /** Writes become durable, up to this batch; what waited for them is sent. */
  confirm(upTo = Number.POSITIVE_INFINITY): void {
    const done = this.#unconfirmed.filter(({ sequence }) => sequence <= upTo);
    if (done.length === 0) return;
    this.#unconfirmed = this.#unconfirmed.filter(({ sequence }) => sequence > upTo);
    for (const { messages } of done) this.network.post(messages);
    const version = this.#versions.findLast(({ sequence }) => sequence <= upTo);
    if (version === undefined) return;
    this.#versions = this.#versions.filter(({ sequence }) => sequence > version.sequence);
    this.durable = version.disk;
    this.step({ type: 'persisted', sequence: version.sequence });
  }

  /** The instance is gone with all that was not durable; another starts. */
  restart(): void {
    this.#unconfirmed = [];
    this.#versions = [];
    this.disk = this.durable.clone();
    this.disk.epoch++;
    this.durable = this.disk.clone();
    this.down = false;
    this.raft = this.#boot();
  }

  propose(...texts: string[]): Output {
    return this.step({ type: 'propose', proposals: texts.map(proposal) });
  }

  get appliedTexts(): string[] {
    return this.applied.map(({ data }) => dataText(data)).filter((text) => text !== '');
  }

  #boot(): Raft {
    this.deadlineMs = this.network.nowMs;
    const options = testOptions(this.id, this.overrides);
    return new Raft(options, this.disk.initial(), this.disk, this.network.nowMs);
  }

  #persist(output: Output): void {
    const { persist, sendAfterPersist } = output;
    if (persist !== null) {
      this.disk.write(persist);
      // Applied effects and rows are one transaction: the snapshot of the disk is taken after both.
      this.#versions.push({ sequence: persist.sequence, disk: this.disk.clone() });
    }
    if (persist === null && sendAfterPersist.length === 0) return;
    const waitsFor = this.#unconfirmed.at(-1)?.sequence ?? 0;
    const messages = [...sendAfterPersist];
    if (persist === null && waitsFor === 0) this.network.post(messages);
    else this.#unconfirmed.push({ sequence: persist?.sequence ?? waitsFor, messages });
  }

  #record(output: Output): void {
    for (const { id, index } of output.reads) this.reads.set(id, index);
    for (const { id, reason } of output.readFailures) this.readFailures.set(id, reason);
    this.dropped.push(...output.dropped.map(dataText));
    this.snapshotsWanted.push(...output.snapshotsWanted);
  }

  #applyEntries(entries: readonly Entry[]): void {
    this.applied.push(...entries);
    const index = must(entries.at(-1), 'nothing to apply').index;
    this.disk.applied = index;
    this.disk.confState = this.raft.status.confState;
    this.step({ type: 'applied', index });
  }
}

/** The members and the messages between them. Nothing moves unless the test says so. */
export class TestNetwork {
  nowMs = 0;
  readonly members = new Map<MemberId, TestMember>();
  queue: Message[] = [];
  /** Answers whether a message is lost. */
  lose: (message: Message) => boolean = () => false;

  constructor(confState: ConfState, overrides: Partial<RaftOptions> = {}) {
    const { voters, votersOutgoing, learners } = confState;
    for (const id of new Set([...voters, ...votersOutgoing, ...learners])) {
      this.add(id, new MemoryDisk(confState), overrides);
    }
  }

  /** Voters 1..n. */
  static ofVoters(count: number, overrides: Partial<RaftOptions> = {}): TestNetwork {
    const ids = Array.from({ length: count }, (_, i) => memberId(i + 1));
    return new TestNetwork(votersOnly(ids), overrides);
  }

  add(id: MemberId, disk: MemoryDisk, overrides: Partial<RaftOptions> = {}): TestMember {
    const member = new TestMember(this, id, disk, overrides);
    this.members.set(id, member);
    return member;
  }

  member(n: number): TestMember {
    return must(this.members.get(memberId(n)), `no member ${n}`);
  }

  get leader(): TestMember | null {
    for (const member of this.members.values()) {
      if (!member.down && member.raft.status.role === 'leader') return member;
    }
    return null;
  }

  post(messages: readonly Message[]): void {
    this.queue.push(...messages);
  }

  /** Cuts these members off from all others, or heals everything when none is named. */
  isolate(...numbers: number[]): void {
    const ids = numbers.map(memberId);
    this.lose = ({ from, to }) => ids.includes(from) !== ids.includes(to);
  }

  /** Delivers until silence. */
  deliver(limit = 10_000): void {
    for (let i = 0; this.queue.length > 0; i++) {
      assert(i < limit, 'the members do not fall silent');
      this.deliverNext();
    }
  }

  /** Delivers the first message that waits. */
  deliverNext(): Message | null {
    const message = this.queue.shift() ?? null;
    if (message === null || this.lose(message)) return null;
    const member = this.members.get(message.to);
    if (member !== undefined && !member.down) member.step({ type: 'message', message });
    return message;
  }

  /** Lets time pass; members tick at their deadlines and messages arrive at once. */
  advance(ms: number): void {
    const until = this.nowMs + ms;
    this.deliver();
    for (let i = 0; ; i++) {
      assert(i < 100_000, 'time does not pass');
      const next = this.#nextDue();
      if (next === null || (next.deadlineMs ?? 0) > until) break;
      this.nowMs = Math.max(this.nowMs, next.deadlineMs ?? 0);
      next.step({ type: 'tick' });
      this.deliver();
    }
    this.nowMs = until;
  }

  /** Makes a member leader, with its first entry committed everywhere. */
  elect(n: number): TestMember {
    const member = this.member(n);
    member.step({ type: 'campaign' });
    this.deliver();
    assert(member.raft.status.role === 'leader', `member ${n} did not become leader`);
    return member;
  }

  #nextDue(): TestMember | null {
    let next: TestMember | null = null;
    for (const member of this.members.values()) {
      if (member.down || member.deadlineMs === null) continue;
      if (next === null || member.deadlineMs < (next.deadlineMs ?? 0)) next = member;
    }
    return next;
  }
}
