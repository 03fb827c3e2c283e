import { intBetween } from '../../src/lib/prng.ts';
import { Node } from '../../src/member/node.ts';
import { Runtime } from '../../src/member/runtime.ts';
import type { MemberId } from '../../src/raft/message.ts';
import type { MemberInfo } from '../../src/state/member.ts';
import type { ApplyResult } from '../../src/state/result.ts';
import type { DiskChange } from './disk_image.ts';
import { DiskImage } from './disk_image.ts';
import { Instance, type InstanceOwner, type Running } from './instance.ts';
import type { Network } from './network.ts';
import type { Observer } from './observer.ts';
import { isWhole, type MemberPlan } from './plan.ts';
import { chance, exponential } from './random.ts';
import { identityOf, settingsOf, VERSION_INDEX_BYTES } from './runtime.ts';
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
  /** It does not belong to the cluster any more, or never did, or its disk is gone. */
  retired = false;
  wallClockJumpMs = 0;
  readonly #world: World;
  readonly #network: Network;
  readonly #observer: Observer;
  readonly #founders: readonly MemberInfo[];
  #queue: Transaction[] = [];
  /** Syncs that are confirmed without being done keep their order too. */
  #pretendedUs = 0;

  constructor(
    world: World,
    network: Network,
    observer: Observer,
    plan: MemberPlan,
    founders: readonly MemberInfo[],
  ) {
    this.#world = world;
    this.#network = network;
    this.#observer = observer;
    this.id = plan.id;
    this.number = Number(`0x${plan.id}`);
    this.clockRate = plan.clockRate;
    this.clockOffsetMs = plan.clockOffsetMs;
    this.#founders = founders;
  }

  /** A new instance from the durable rows. An older one that still runs is superseded by it. */
  start(): void {
    if (this.retired) return;
    const { plan } = this.#world;
    const older = this.current;
    if (older !== null) this.#supersede(older);
    const live = this.durable.clone();
    const links = (self: Instance) => this.#network.linksOf(self);
    const instance = new Instance(this.#world, this, live, this.#observer, links);
    this.current = instance;
    instance.start(() => (isWhole(plan) ? this.#whole(instance) : this.#plain(instance)));
  }

  /** Kill -9: memory is gone, and what the disk has not confirmed with it, or most of it. */
  crash(): void {
    const instance = this.current;
    if (instance === null) return;
    this.#world.note(instance.name, 'crashes');
    instance.kill();
    this.ended(instance);
  }

  /** For good. */
  retire(): void {
    if (this.retired) return;
    this.retired = true;
    this.#world.note(`m${this.number}`, 'retires');
    for (const instance of [this.current, ...this.zombies]) {
      if (instance === null) continue;
      instance.kill();
      this.#dropTransactions(instance);
    }
    this.current = null;
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
    if (instance.state === 'superseded') return this.#pretend(instance, done);
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
    const waiting = this.#queue.filter((transaction) => transaction.instance === instance);
    this.#dropTransactions(instance);
    instance.state = 'superseded';
    this.zombies.push(instance);
    if (instance.unfenced) {
      for (const { done } of waiting) this.#pretend(instance, done);
      return;
    }
    // Its writes under way are refused some time later: until then it does not know.
    if (waiting.length === 0) return;
    this.#world.afterAbout(this.#world.plan.electionTimeoutMs, () => {
      if (!instance.alive) return;
      this.#world.note(instance.name, 'ends', 'its write was refused');
      instance.kill();
      this.ended(instance);
    });
  }

  /** What an instance that is not fenced writes goes nowhere, and it is told that all is well. */
  #pretend(instance: Instance, done: Transaction['done']): void {
    const latestUs = Math.max(this.#world.nowUs, this.#pretendedUs);
    const delayMs = exponential(this.#world.prng, this.#world.plan.syncMs);
    this.#pretendedUs = latestUs + Math.ceil(delayMs * 1000);
    this.#world.at(this.#pretendedUs, () => {
      instance.step('believes it durable', null, () => done(null));
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

  /** The node alone: all that the consensus core and the state machine need, and fast. */
  #plain(instance: Instance): Running {
    const { plan, bugs } = this.#world;
    const options = {
      memberId: this.id,
      initialMembers: this.#founders,
      heartbeatIntervalMs: plan.heartbeatIntervalMs,
      electionTimeoutMs: plan.electionTimeoutMs,
      quiesceAfterMs: plan.quiesceAfterMs,
      snapshotCount: plan.snapshotCount,
      snapshotCatchUpEntries: plan.snapshotCatchUpEntries,
      prng: instance.prng,
      surroundings: {
        versionIndexBytesMax: VERSION_INDEX_BYTES,
        previousWanted: () => false,
      },
      onMembers: () => this.#retireSoon(instance),
      onSoftState: () => this.#retireSoon(instance),
      onApplied: (result: ApplyResult) => {
        this.#observer.applied(instance, result);
        if (result.command.request.case === 'compaction') this.#compactSoon(instance);
      },
      bugs,
    };
    this.#compactSoon(instance);
    return { node: new Node(options, instance), runtime: null };
  }

  /**
   * Who was removed stops when somebody who stays tells it so: until then its vote may be needed,
   * by those who have not learnt that the change is committed (Raft thesis §4.2.2).
   */
  #retireSoon(instance: Instance): void {
    const { id, current } = this;
    if (this.#world.plan.profile !== 'membership' || current !== instance) return;
    this.#world.afterAbout(this.#world.plan.electionTimeoutMs, () => {
      const { membership } = instance.node.machine;
      if (this.current !== instance || !membership.isRemoved(BigInt(`0x${id}`))) return;
      const leads = instance.node.soft.role === 'leader';
      if (!leads && this.#network.isKnownRemoved(id)) this.retire();
      else this.#retireSoon(instance);
    });
  }

  /** The member as it is deployed, services and all. */
  #whole(instance: Instance): Running {
    const { plan } = this.#world;
    const runtime = new Runtime(settingsOf(plan, this.id), identityOf(plan, this.id), instance, {
      applied: (result) => this.#observer.applied(instance, result),
      turnApplied: () => {},
      softState: () => {},
    });
    return { node: runtime.node, runtime };
  }
}
