import { assert, must } from '../../src/lib/assert.ts';
import type { ConfState } from '../../src/raft/message.ts';
import type { RaftOptions } from '../../src/raft/options.ts';
import { Disk } from './disk.ts';
import { Instance } from './instance.ts';
import { everything, Network, type Packet, type PacketFilter } from './network.ts';
import { idOf, printMessage } from './print.ts';
import { Verdicts } from './verdicts.ts';

/** Options of every member but its id and its randomness. */
export type ClusterOptions = Omit<RaftOptions, 'id' | 'prng'>;

/** A member: its rows, and the instances that believe to be it. The last one is the real one. */
export interface Member {
  readonly number: number;
  readonly disk: Disk;
  readonly instances: Instance[];
  /** Confirms every write at once. */
  diskAuto: boolean;
  /** Applies committed entries at once. */
  applyAuto: boolean;
  /** Where in [T, 2T) its election timeouts fall, in turn: 0 is T. */
  timeouts: readonly number[];
  /** How many of them were drawn. */
  timeoutsDrawn: number;
}

/** Steps without rest after which a scenario is taken to loop for ever. */
const STEPS_MAX = 20_000;

/**
 * A cluster without chance: one clock, links that move only when told to, disks that confirm when
 * told to.
 */
export class World {
  readonly network = new Network();
  readonly verdicts = new Verdicts();
  readonly members = new Map<number, Member>();
  nowMs = 0;
  /**
   * Whether messages and applied entries are printed, or only what changes roles and answers
   * clients.
   */
  loud = true;
  #lines: string[] = [];
  readonly #options: ClusterOptions;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** A timeout of so many milliseconds, as the share of [T, 2T) that the core draws. */
  shareOfTimeout(ms: number): number {
    const { electionTimeoutMs } = this.#options;
    const share = (ms - electionTimeoutMs) / electionTimeoutMs;
    assert(share >= 0 && share < 1, `${ms} ms is not within one and two election timeouts`);
    return share;
  }

  /** Prints a line. Details are left out while the world is not loud. */
  print(line: string, detail = false): void {
    if (this.loud || !detail) this.#lines.push(line);
  }

  takeLines(): readonly string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  add(number: number, size: number, confState: ConfState): void {
    this.members.set(number, {
      number,
      disk: new Disk(confState),
      instances: [],
      diskAuto: true,
      applyAuto: true,
      // Lower numbers time out first: without `timeout` there is one obvious next leader.
      timeouts: [(number - 1) / size],
      timeoutsDrawn: 0,
    });
    this.boot(number);
  }

  member(number: number): Member {
    return must(this.members.get(number), `there is no member ${number}`);
  }

  /** The instance that the platform holds to be the member; or an older one, by its epoch. */
  instance(number: number, epoch?: number): Instance {
    const { instances } = this.member(number);
    const found =
      epoch === undefined ? instances.at(-1) : instances.find((each) => each.epoch === epoch);
    return must(found, `member ${number}${epoch === undefined ? '' : `@${epoch}`} does not run`);
  }

  runs(number: number): boolean {
    return this.member(number).instances.length > 0;
  }

  /**
   * Starts an instance from the rows, under the next epoch. Older ones go on only if they are
   * kept.
   */
  boot(number: number): Instance {
    const member = this.member(number);
    member.disk.epoch += 1;
    const prng = {
      next: () =>
        must(member.timeouts[member.timeoutsDrawn++ % member.timeouts.length], 'no timeouts'),
    };
    const instance = new Instance(this, member, { ...this.#options, id: idOf(number), prng });
    member.instances.push(instance);
    instance.step([{ type: 'tick' }]);
    return instance;
  }

  /** Ends all instances of a member, with what they had not made durable. */
  crash(number: number): void {
    const { instances } = this.member(number);
    for (const instance of instances) this.verdicts.forget(instance);
    instances.length = 0;
  }

  /** Delivers what is under way now, not what that causes. Returns how many messages moved. */
  deliver(filter: PacketFilter = everything, epoch?: number): number {
    const packets = this.network.take(filter, (to) => this.#pauses(to, epoch));
    for (const packet of packets) this.#deliverOne(packet, epoch);
    return packets.length;
  }

  /** A paused member leaves its messages under way. */
  #pauses(number: number, epoch: number | undefined): boolean {
    return this.runs(number) && this.instance(number, epoch).paused;
  }

  #deliverOne(packet: Packet, epoch: number | undefined): void {
    if (!this.#arrives(packet, epoch)) return;
    this.instance(packet.to, epoch).step([{ type: 'message', message: packet.message }]);
  }

  /** One turn of a member as its runtime takes it: all that is under way to it, in one step. */
  turn(number: number): void {
    const packets = this.network.take({ ...everything, to: number });
    const arrived = packets.filter((packet) => this.#arrives(packet));
    this.instance(number).step(arrived.map(({ message }) => ({ type: 'message', message })));
  }

  /** Prints a message, and says whether it reaches its member. */
  #arrives(packet: Packet, epoch?: number): boolean {
    const { message, from, to } = packet;
    const old = message.epoch < this.member(from).disk.epoch;
    const sender = old ? `${from}@${message.epoch}` : from;
    const receiver = epoch === undefined ? to : `${to}@${epoch}`;
    const lost = this.network.isCut(packet) || !this.runs(to);
    this.print(`${sender}->${receiver} ${printMessage(message)}${lost ? ' (lost)' : ''}`, true);
    return !lost;
  }

  /** Delivers until nothing is under way. */
  stabilize(): void {
    for (let steps = 0; this.deliver() > 0; steps++) {
      if (steps > STEPS_MAX) throw new Error('messages do not end');
    }
  }

  /** Lets time pass, waking each member at its deadline; with `deliver`, links are instant. */
  advance(durationMs: number, deliver: boolean): void {
    const endMs = this.nowMs + durationMs;
    if (deliver) this.stabilize();
    for (let steps = 0; ; steps++) {
      if (steps > STEPS_MAX) throw new Error('deadlines do not end');
      const next = this.#nextDue();
      if (!next || next.deadlineMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, next.deadlineMs);
      next.instance.step([{ type: 'tick' }]);
      if (deliver) this.stabilize();
    }
    this.nowMs = endMs;
  }

  #nextDue(): { instance: Instance; deadlineMs: number } | null {
    let next: { instance: Instance; deadlineMs: number } | null = null;
    for (const instance of this.running()) {
      const { deadlineMs } = instance;
      if (deadlineMs === null || instance.paused) continue;
      if (next === null || deadlineMs < next.deadlineMs) next = { instance, deadlineMs };
    }
    return next;
  }

  /** All instances that execute, superseded ones included. */
  running(): Instance[] {
    return [...this.members.values()].flatMap(({ instances }) => instances);
  }
}
