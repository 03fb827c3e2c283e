import { intBetween } from '../../src/lib/prng.ts';
import type { NodeOptions } from '../../src/member/node.ts';
import type { ConfState, MemberId } from '../../src/raft/message.ts';
import type { DiskChange } from './disk_image.ts';
import { DiskImage } from './disk_image.ts';
import { Instance, type InstanceOwner } from './instance.ts';
import type { Network } from './network.ts';
import type { Observer } from './observer.ts';
import type { MemberPlan } from './plan.ts';
import { chance, exponential } from './random.ts';
import { InjectedSyncError } from './signals.ts';
import type { World } from './world.ts';

/** What an instance has handed to the disk, until it is durable or lost. */
interface Transaction {
  readonly instance: Instance;
  readonly changes: readonly DiskChange[];
  readonly done: (error: Error | null) => void;
  durableAtUs: number;
  settled: boolean;
}

/** One member over the whole run: its durable rows and the instances that live from them. */
export class Member implements InstanceOwner {
  readonly id: MemberId;
  readonly number: number;
  readonly clockRate: number;
  readonly clockOffsetMs: number;
  /** What a crash leaves. */
  readonly durable = new DiskImage();
  current: Instance | null = null;
  /** Superseded instances that still run. */
  zombies: Instance[] = [];
  /** Slower than usual by this factor. */
  diskFactor = 1;
  failNextSync = false;
  wallClockJumpMs = 0;
  readonly #world: World;
  readonly #network: Network;
  readonly #observer: Observer;
  readonly #confState: ConfState;
  #queue: Transaction[] = [];

  constructor(
    world: World,
    network: Network,
    observer: Observer,
    plan: MemberPlan,
    confState: ConfState,
  ) {
    this.#world = world;
    this.#network = network;
    this.#observer = observer;
    this.id = plan.id;
    this.number = Number(`0x${plan.id}`);
    this.clockRate = plan.clockRate;
    this.clockOffsetMs = plan.clockOffsetMs;
    this.#confState = confState;
  }

  /** A new instance from the durable rows. An older one that still runs is superseded by it. */
  start(): void {
    const older = this.current;
    if (older !== null) this.#supersede(older);
    const live = this.durable.clone();
    const links = (self: Instance) => this.#network.linksOf(self);
    const instance = new Instance(this.#world, this, live, this.#observer, links);
    this.current = instance;
    instance.start(this.#options(instance));
    this.#compactSoon(instance);
  }

  /** Kill -9: memory is gone, and what the disk has not confirmed with it, or most of it. */
  crash(): void {
    const instance = this.current;
    if (instance === null) return;
    this.#world.note(instance.name, 'crashes');
    instance.kill();
    this.ended(instance);
  }

  ended(instance: Instance): void {
    this.zombies = this.zombies.filter((zombie) => zombie !== instance);
    this.#dropTransactions(instance);
    if (this.current !== instance) return;
    this.#world.coverage.add('crashes');
    this.current = null;
    const { faulty, plan } = this.#world;
    const downMs = faulty ? exponential(this.#world.prng, plan.electionTimeoutMs * 1.5) : 0;
    this.#world.after(downMs, () => {
      if (this.current === null) this.start();
    });
  }

  wallClockMs(): number {
    return 1_700_000_000_000 + Math.floor(this.#world.nowUs / 1000) + this.wallClockJumpMs;
  }

  sync(instance: Instance, changes: readonly DiskChange[], done: Transaction['done']): void {
    if (instance.diskFailed) return;
    const { prng, plan, faulty } = this.#world;
    const delayMs = exponential(prng, plan.syncMs) * (faulty ? this.diskFactor : 1);
    const last = this.#queue[this.#queue.length - 1];
    const earliestUs = last === undefined ? 0 : last.durableAtUs;
    const atUs = Math.max(this.#world.nowUs + Math.ceil(delayMs * 1000), earliestUs);
    const transaction = { instance, changes, done, durableAtUs: atUs, settled: false };
    this.#queue.push(transaction);
    this.#world.at(atUs, () => this.#settle(transaction));
  }

  /** The disk is well again: what it still has to do is done soon. */
  recoverDisk(): void {
    this.diskFactor = 1;
    this.failNextSync = false;
    const soonUs = this.#world.nowUs + 1_000;
    for (const transaction of this.#queue) {
      transaction.durableAtUs = Math.min(transaction.durableAtUs, soonUs);
      this.#world.at(soonUs, () => this.#settle(transaction));
    }
  }

  #settle(transaction: Transaction): void {
    if (transaction.settled) return;
    const { instance, done } = transaction;
    if (this.failNextSync && this.#world.faulty) {
      this.failNextSync = false;
      this.#world.coverage.add('syncFailures');
      instance.diskFailed = true;
      this.#dropTransactions(instance);
      instance.step('fails to sync', null, () => done(new InjectedSyncError('the disk refused')));
      return;
    }
    this.#makeDurable(transaction);
    instance.step('is durable', null, () => done(null));
  }

  #makeDurable(transaction: Transaction): void {
    transaction.settled = true;
    this.#queue = this.#queue.filter((other) => other !== transaction);
    for (const change of transaction.changes) this.durable.apply(change);
    this.#observer.durable(this.id, this.durable, transaction.changes);
  }

  /**
   * Transactions become durable in order: of the open ones a crash keeps some first ones,
   * unconfirmed.
   */
  #dropTransactions(instance: Instance): void {
    const open = this.#queue.filter((transaction) => transaction.instance === instance);
    const { prng, coverage, faulty } = this.#world;
    const kept = faulty && chance(prng, 0.3) ? intBetween(prng, 0, open.length) : 0;
    for (const [i, transaction] of open.entries()) {
      if (i < kept) {
        coverage.add('transactionsDurableButUnconfirmed');
        this.#makeDurable(transaction);
      } else {
        transaction.settled = true;
        if (transaction.changes.length > 0) coverage.add('crashesLosingTransactions');
      }
    }
    this.#queue = this.#queue.filter((transaction) => !transaction.settled);
  }

  #supersede(instance: Instance): void {
    this.#world.note(instance.name, 'is superseded');
    this.#world.coverage.add('instancesSuperseded');
    const waitsForDisk = this.#queue.some((transaction) => transaction.instance === instance);
    this.#dropTransactions(instance);
    instance.state = 'superseded';
    this.zombies.push(instance);
    // Its writes under way are refused some time later: until then it does not know.
    if (!waitsForDisk) return;
    this.#world.afterAbout(this.#world.plan.electionTimeoutMs, () => {
      if (!instance.alive) return;
      this.#world.note(instance.name, 'ends', 'its write was refused');
      instance.kill();
      this.ended(instance);
    });
  }

  /** As the runtime of a member does: slice after slice, other work in between. */
  #compactSoon(instance: Instance): void {
    this.#world.afterAbout(this.#world.plan.electionTimeoutMs / 4, () => {
      instance.step('compacts a slice', null, () => {
        if (instance.node.machine.compactSlice()) this.#compactSoon(instance);
      });
    });
  }

  #options(instance: Instance): NodeOptions {
    const { plan, bugs } = this.#world;
    return {
      memberId: this.id,
      initialConfState: this.#confState,
      heartbeatIntervalMs: plan.heartbeatIntervalMs,
      electionTimeoutMs: plan.electionTimeoutMs,
      quiesceAfterMs: plan.quiesceAfterMs,
      snapshotCount: plan.snapshotCount,
      snapshotCatchUpEntries: plan.snapshotCatchUpEntries,
      prng: this.#world.fork(),
      onApplied: (result) => {
        this.#observer.applied(instance, result);
        if (result.command.request.case === 'compaction') this.#compactSoon(instance);
      },
      bugs,
    };
  }
}
