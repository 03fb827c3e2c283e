import { must } from '../../src/lib/assert.ts';
import { intBetween } from '../../src/lib/prng.ts';
import type { NodeHost, PeerLinks } from '../../src/member/host.ts';
import { Node, type NodeOptions } from '../../src/member/node.ts';
import type { MemberId, Message } from '../../src/raft/message.ts';
import type { PersistBatch } from '../../src/raft/output.ts';
import { InstanceDisk } from './disk.ts';
import type { DiskChange, DiskImage } from './disk_image.ts';
import type { Observer } from './observer.ts';
import { CrashSignal, isInjected, SupersededSignal } from './signals.ts';
import type { Detail } from './trace.ts';
import { holds, Violation } from './violation.ts';
import type { World } from './world.ts';

/** What an instance needs of its member. */
export interface InstanceOwner {
  readonly id: MemberId;
  readonly number: number;
  readonly clockRate: number;
  readonly clockOffsetMs: number;
  wallClockMs(): number;
  /** The written changes become durable some time; calls back into the instance. */
  sync(
    instance: Instance,
    changes: readonly DiskChange[],
    done: (error: Error | null) => void,
  ): void;
  /**
   * The instance has ended by itself: a crash at a call, a failed sync, a superseded one's write.
   */
  ended(instance: Instance): void;
}

/** The longest wait of a task in the event loop. */
const DEFER_MAX_US = 100;

/** A burst after a pause takes so long. */
const BURST_US = 2_000;

/** What keeps its order in such a burst. */
const ORDERED: ReadonlySet<string> = new Set(['starts', 'turns', 'is durable', 'fails to sync']);

/** Tasks that one event may bring: a turn, and a few more when there is much to apply. */
const TASKS_MAX = 1_000;

/**
 * running: the member's current instance. superseded: a newer one has been started from the durable
 * rows; this one goes on until it touches its storage. dead: it does nothing any more.
 */
export type InstanceState = 'running' | 'superseded' | 'dead';

/** One life of a member: a Node and the world that it sees. */
export class Instance implements NodeHost {
  readonly owner: InstanceOwner;
  readonly disk: InstanceDisk;
  readonly links: PeerLinks;
  readonly name: string;
  state: InstanceState = 'running';
  /** A write has failed: nothing that is written after it can become durable. */
  diskFailed = false;
  /** Everything that happens to it before this time waits. */
  pausedUntilUs = 0;
  /** It is killed at the so-many-th call to its host from now. */
  crashAfterCalls: number | null = null;
  readonly #world: World;
  readonly #observer: Observer;
  #node: Node | null = null;
  #alarm = 0;
  #lastNowMs = 0;
  #deferredUs = 0;
  #backlog: { readonly verb: string; readonly run: () => void }[] = [];
  /** What the node wants done before anything else happens. */
  readonly #endOfEvent: (() => void)[] = [];

  constructor(
    world: World,
    owner: InstanceOwner,
    live: DiskImage,
    observer: Observer,
    links: (instance: Instance) => PeerLinks,
  ) {
    this.#world = world;
    this.owner = owner;
    this.#observer = observer;
    this.name = `m${owner.number}#${live.epoch + 1}`;
    this.disk = new InstanceDisk(live, {
      beforeCall: (call) => this.#beforeStorageCall(call),
      beforeBatch: (batch) => this.#beforeBatch(batch),
      sync: (changes, done) => owner.sync(this, changes, done),
    });
    this.links = this.#counted(links(this));
  }

  get id(): MemberId {
    return this.owner.id;
  }

  /** Historic bugs that are switched on. */
  get bugs(): ReadonlySet<string> {
    return this.#world.bugs;
  }

  get node(): Node {
    return must(this.#node, 'the instance has no node yet');
  }

  get alive(): boolean {
    return this.state !== 'dead';
  }

  /** Builds the node from rows and lets it run. */
  start(options: NodeOptions): void {
    this.step('starts', null, () => {
      this.#node = new Node(options, this);
      this.#observer.started(this);
      this.#node.start();
    });
  }

  /** Lets one thing happen to the instance, now or when its pause ends; nothing when it is dead. */
  step(verb: string, detail: Detail, run: () => void): void {
    if (!this.alive) return;
    if (this.#world.nowUs < this.pausedUntilUs) {
      this.#backlog.push({ verb, run: () => this.step(verb, detail, run) });
      return;
    }
    this.#world.note(this.name, verb, detail);
    try {
      run();
      this.#finishEvent();
      if (this.alive) this.disk.seal((error) => this.fatal(error));
      if (this.alive && this.#node !== null) this.#observer.stepped(this);
    } catch (error) {
      this.fatal(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Stops the instance until then, or until an earlier pause ends that is longer. */
  pauseUntil(untilUs: number): void {
    if (untilUs <= this.pausedUntilUs) return;
    this.pausedUntilUs = untilUs;
    this.#world.at(untilUs, () => {
      if (this.#world.nowUs >= this.pausedUntilUs) this.resume();
    });
  }

  /**
   * Everything that waits is worked off, in a burst. What waits for a woken process is in no order;
   * only its disk and its own tasks keep theirs.
   */
  resume(): void {
    this.pausedUntilUs = Math.min(this.pausedUntilUs, this.#world.nowUs);
    const backlog = this.#backlog;
    this.#backlog = [];
    for (const { verb, run } of backlog) {
      const delayUs = ORDERED.has(verb) ? 0 : intBetween(this.#world.prng, 0, BURST_US);
      this.#world.at(this.#world.nowUs + delayUs, run);
    }
  }

  /**
   * A request comes in. The platform looks at the moment in which the event starts whether the
   * instance is still the member's: a superseded one gets no new requests, whatever it does with
   * those that it has begun.
   */
  request(verb: string, detail: Detail, run: () => void, refuse: () => void): void {
    if (!this.alive) return refuse();
    this.step(verb, detail, () => (this.state === 'running' ? run() : refuse()));
  }

  /** Ends the instance from outside. */
  kill(): void {
    this.state = 'dead';
  }

  nowMs(): number {
    this.#lastNowMs = Math.max(this.#lastNowMs, this.#localMs(this.#world.nowUs));
    return this.#lastNowMs;
  }

  wallClockMs(): number {
    return this.owner.wallClockMs();
  }

  setAlarm(atMs: number | null): void {
    const alarm = ++this.#alarm;
    if (atMs === null) return;
    const { clockRate, clockOffsetMs } = this.owner;
    let atUs = Math.ceil(((atMs - clockOffsetMs) * 1000) / clockRate);
    while (this.#localMs(atUs) < atMs) atUs += 1;
    this.#world.at(atUs, () => {
      if (alarm === this.#alarm) this.step('ticks', null, () => this.node.tick());
    });
  }

  soon(callback: () => void): void {
    this.#endOfEvent.push(callback);
  }

  defer(callback: () => void): void {
    // Other events come in between; two of its own tasks stay in order.
    const delayUs = intBetween(this.#world.prng, 0, DEFER_MAX_US);
    this.#deferredUs = Math.max(this.#deferredUs, this.#world.nowUs + delayUs);
    this.#world.at(this.#deferredUs, () => this.step('turns', null, callback));
  }

  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void {
    this.#world.note(this.name, level, message);
  }

  /** An ending that the simulator did not arrange is a broken invariant of the code under test. */
  fatal(error: Error): void {
    if (!this.alive) return;
    if (error instanceof Violation) this.#world.fail(error);
    else if (!isInjected(error)) {
      this.#world.fail(new Violation('assert', `${this.name}: ${error.stack ?? error.message}`));
    }
    this.#end(error.name);
  }

  /** What belongs to the event, and what that brings. */
  #finishEvent(): void {
    for (let tasks = 0; this.alive && this.#endOfEvent.length > 0; tasks++) {
      holds(tasks < TASKS_MAX, 'P3', () => `an event of ${this.name} never ends`);
      this.#endOfEvent.shift()?.();
    }
  }

  #end(reason: string): void {
    this.#world.note(this.name, 'ends', reason);
    this.state = 'dead';
    this.owner.ended(this);
  }

  #localMs(atUs: number): number {
    return Math.floor((atUs * this.owner.clockRate) / 1000) + this.owner.clockOffsetMs;
  }

  /**
   * A kill at any instruction: what the turn has sent is on its way, what it has written is lost.
   */
  #countCall(): void {
    if (this.crashAfterCalls === null) return;
    this.crashAfterCalls -= 1;
    if (this.crashAfterCalls > 0) return;
    this.#world.coverage.add('crashesInsideTurn');
    this.#guarded(() => this.#observer.dying(this));
    this.#end('killed at a call');
    throw new CrashSignal('killed');
  }

  #beforeStorageCall(call: string): void {
    if (!this.alive) throw new CrashSignal('killed before');
    if (this.state === 'superseded') {
      this.#world.coverage.add('zombiesThatReachedStorage');
      this.#guarded(() => this.#observer.dying(this));
      this.#end(`superseded at ${call}`);
      throw new SupersededSignal(call);
    }
    this.#countCall();
  }

  #beforeBatch(batch: PersistBatch): void {
    if (this.state === 'running') this.#guarded(() => this.#observer.writing(this, batch));
  }

  /** Messages of a dead instance go nowhere, those of a superseded one do. */
  #counted(links: PeerLinks): PeerLinks {
    return {
      send: (to, messages) => {
        if (!this.alive) return;
        this.#countCall();
        this.observeSending(messages);
        links.send(to, messages);
      },
      sendSnapshot: (to, source) => {
        if (this.alive) links.sendSnapshot(to, source);
      },
    };
  }

  observeSending(messages: readonly Message[]): void {
    if (this.state === 'superseded') this.#world.coverage.add('zombiesThatSent');
    this.#guarded(() => this.#observer.sending(this, messages));
  }

  /**
   * The code under test may catch what it did not throw: a violation is noted before it is thrown.
   */
  #guarded(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (error instanceof Violation) this.#world.fail(error);
      throw error;
    }
  }
}
