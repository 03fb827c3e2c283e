import { create } from '@bufbuild/protobuf';
import {
  MemberAddSchema,
  MemberPromoteSchema,
  MemberRemoveSchema,
} from '../../../src/api/gen/command_pb.ts';
import { PutRequestSchema } from '../../../src/api/gen/rpc_pb.ts';
import { assert, must } from '../../../src/lib/assert.ts';
import { utf8 } from '../../../src/lib/bytes.ts';
import { seededPrng } from '../../../src/lib/prng.ts';
import type { NodeHost, SnapshotSource } from '../../../src/member/host.ts';
import { idOfNumber } from '../../../src/member/identity.ts';
import { Node } from '../../../src/member/node.ts';
import type { ProposalOutcome } from '../../../src/member/proposals.ts';
import type { MemberId, Message } from '../../../src/raft/message.ts';
import type { MemberInfo } from '../../../src/state/member.ts';
import type { MembershipChange } from '../../../src/state/membership.ts';
import { InstanceDisk } from '../../sim/disk.ts';
import { DiskImage } from '../../sim/disk_image.ts';

const HEARTBEAT_MS = 100;
const ELECTION_MS = 1_000;
const TIMEOUT_MS = 20_000;

/** One instance of a member. What it has asked for is done only while it lives. */
interface Instance {
  readonly id: MemberId;
  readonly node: Node;
  alarmMs: number | null;
  alive: boolean;
}

interface Task {
  readonly owner: Instance | null;
  readonly run: () => void;
}

/** A client that asks again when it was refused, or when the one that it asked is gone. */
class Question {
  answered = false;
  #asked: Instance | null = null;

  ask(instance: Instance, ask: (done: (outcome: ProposalOutcome) => void) => void): void {
    if (this.#asked?.alive) return;
    this.#asked = instance;
    ask(({ error, result }) => {
      this.#asked = null;
      this.answered = error === undefined && result.error === null;
    });
  }
}

/**
 * Members without a network or clock of their own: what they ask for is done one after another, so
 * that a run can be repeated with a crash at any point of it.
 */
export class Rig {
  nowMs = 0;
  /** Things done so far. */
  steps = 0;
  /** Members whose process is ended before that step. */
  readonly crashes = new Map<number, MemberId>();
  /** Keys of writes that were acknowledged. */
  readonly acknowledged = new Set<string>();
  readonly #durable = new Map<MemberId, DiskImage>();
  readonly #running = new Map<MemberId, Instance>();
  readonly #founders: readonly MemberInfo[];
  #tasks: Task[] = [];

  constructor(founders: readonly number[]) {
    this.#founders = founders.map((n) => ({
      id: BigInt(n),
      name: `m${n}`,
      clientUrls: [],
      peerUrls: [`do://m${n}`],
      isLearner: false,
    }));
    for (const n of founders) this.start(idOf(n));
  }

  /** A new instance, from what is durable. */
  start(id: MemberId): void {
    const durable = this.#durable.get(id) ?? new DiskImage();
    this.#durable.set(id, durable);
    const founds = this.#founders.some((member) => idOfNumber(member.id) === id);
    const own: { instance: Instance | null } = { instance: null };
    const later = (run: () => void) => this.#tasks.push({ owner: own.instance, run });
    const disk = new InstanceDisk(durable.clone(), {
      beforeCall: () => {},
      beforeBatch: () => {},
      sync: (changes, done) =>
        later(() => {
          for (const change of changes) durable.apply(change);
          done(null);
        }),
      reset: () => {},
    });
    const host: NodeHost = {
      disk,
      links: {
        send: (to, messages) => later(() => this.#deliver(id, to, messages)),
        sendSnapshot: (to, source) => later(() => this.#move(id, to, source)),
      },
      nowMs: () => this.nowMs,
      wallClockMs: () => 1_700_000_000_000 + this.nowMs,
      setAlarm: (atMs) => {
        if (own.instance !== null) own.instance.alarmMs = atMs;
      },
      soon: (callback) => later(callback),
      defer: (callback) => later(callback),
      log: () => {},
      fatal: (error) => {
        throw error;
      },
    };
    const node = new Node(
      {
        memberId: id,
        initialMembers: founds ? this.#founders : [],
        heartbeatIntervalMs: HEARTBEAT_MS,
        electionTimeoutMs: ELECTION_MS,
        quiesceAfterMs: 0,
        snapshotCount: 8,
        snapshotCatchUpEntries: 4,
        prng: seededPrng(Number(`0x${id}`)),
      },
      host,
    );
    const instance: Instance = { id, node, alarmMs: null, alive: true };
    own.instance = instance;
    this.#running.set(id, instance);
    node.start();
  }

  node(n: number): Node {
    return this.#instance(n).node;
  }

  /** Kill -9, and a start from what is durable. */
  crash(id: MemberId): void {
    const instance = this.#running.get(id);
    if (instance === undefined) return;
    instance.alive = false;
    this.start(id);
  }

  get leader(): number | null {
    for (const [id, { node }] of this.#running) {
      const { role, term } = node.soft;
      const isNewest = [...this.#running.values()].every((other) => other.node.soft.term <= term);
      if (role === 'leader' && isNewest) return Number(`0x${id}`);
    }
    return null;
  }

  /** Does what is to be done, one thing after another, until it is so. */
  until(what: string, isSo: () => boolean): void {
    const endMs = this.nowMs + TIMEOUT_MS;
    while (!isSo()) {
      assert(this.nowMs < endMs, `${what} within ${TIMEOUT_MS} ms`);
      this.#step();
    }
  }

  /** Asks the leader until it has made the change, or somebody has found out that it was made. */
  change(request: MembershipChange, isMade: (members: readonly MemberInfo[]) => boolean): void {
    const question = new Question();
    this.until(`${request.case} of ${request.value.memberId}`, () => {
      const { leader } = this;
      if (question.answered || leader === null) return question.answered;
      if (isMade(this.node(leader).machine.membership.all)) return true;
      const instance = this.#instance(leader);
      question.ask(instance, (done) =>
        instance.node.proposeConfChange(request, 3 * ELECTION_MS, done),
      );
      return false;
    });
  }

  /** A write by that member's client, again until it is acknowledged. */
  put(key: string, at: () => number | null): void {
    const value = create(PutRequestSchema, { key: utf8(key), value: utf8(key) });
    const question = new Question();
    this.until(`the write of ${key}`, () => {
      const n = at();
      if (question.answered || n === null) return question.answered;
      const instance = this.#instance(n);
      question.ask(instance, (done) =>
        instance.node.propose({ case: 'put', value }, 3 * ELECTION_MS, done),
      );
      return false;
    });
    this.acknowledged.add(key);
  }

  #instance(n: number): Instance {
    return must(this.#running.get(idOf(n)), `member ${n} runs`);
  }

  #step(): void {
    const crashing = this.crashes.get(this.steps);
    this.steps++;
    if (crashing !== undefined) this.crash(crashing);
    const task = this.#tasks.shift();
    if (task === undefined) return this.#passTime();
    if (task.owner === null || task.owner.alive) task.run();
  }

  #passTime(): void {
    let next: Instance | null = null;
    for (const instance of this.#running.values()) {
      if (instance.alarmMs === null) continue;
      if (next === null || instance.alarmMs < (next.alarmMs ?? 0)) next = instance;
    }
    const { alarmMs } = must(next, 'somebody waits for something');
    this.nowMs = Math.max(this.nowMs, alarmMs ?? 0);
    for (const instance of this.#running.values()) {
      if (instance.alarmMs === null || instance.alarmMs > this.nowMs) continue;
      instance.alarmMs = null;
      this.#tasks.push({ owner: instance, run: () => instance.node.tick() });
    }
  }

  #deliver(from: MemberId, to: MemberId, messages: readonly Message[]): void {
    const sender = this.#running.get(from);
    const receiver = this.#running.get(to);
    if (sender === undefined) return;
    if (receiver === undefined || this.#isShut(receiver, from)) {
      sender.node.unreachable(
        to,
        messages.some(({ type }) => type === 'propose'),
      );
      return;
    }
    receiver.node.receive(messages, (replies) => {
      if (replies.length === 0) return;
      const run = () => sender.node.receiveReplies(replies);
      this.#tasks.push({ owner: sender, run });
    });
  }

  /** Members refuse those that were removed, but for a leader that hands over. */
  #isShut({ node }: Instance, from: MemberId): boolean {
    return node.machine.membership.isRemoved(BigInt(`0x${from}`)) && node.soft.leader !== from;
  }

  #move(from: MemberId, to: MemberId, source: SnapshotSource): void {
    const sender = this.#running.get(from);
    const receiver = this.#running.get(to);
    let ok = receiver !== undefined;
    for (let sequence = 0; ok; sequence++) {
      const chunk = source.next();
      if (chunk === null) break;
      ok = receiver?.node.receiveChunk(source.transferId, sequence, chunk) ?? false;
    }
    source.close();
    const { index, term } = source.meta;
    sender?.node.snapshotStatus(to, source.transferId, index, term, ok);
  }
}

export function idOf(n: number): MemberId {
  return idOfNumber(BigInt(n));
}

export const changes = {
  add: (n: number, isLearner: boolean): MembershipChange => {
    const fields = { memberId: BigInt(n), peerUrls: [`do://m${n}`], isLearner };
    return { case: 'memberAdd', value: create(MemberAddSchema, fields) };
  },
  promote: (n: number): MembershipChange => {
    return { case: 'memberPromote', value: create(MemberPromoteSchema, { memberId: BigInt(n) }) };
  },
  remove: (n: number): MembershipChange => {
    return { case: 'memberRemove', value: create(MemberRemoveSchema, { memberId: BigInt(n) }) };
  },
};
