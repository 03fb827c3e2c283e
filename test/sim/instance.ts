import { must } from '../../src/lib/assert.ts';
import { intBetween, type Prng } from '../../src/lib/prng.ts';
import type { Node } from '../../src/member/node.ts';
import type { Runtime, RuntimeHost } from '../../src/member/runtime.ts';
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

/** What keeps its order in such a burst: the disk, own tasks, and what comes on one connection. */
const ORDERED: ReadonlySet<string> = new Set([
  'starts',
  'turns',
  'is durable',
  'fails to sync',
  'opens a stream',
  'hears on a stream',
  'loses a stream',
  'is drained',
]);

/** Tasks that one event may bring: a turn, and a few more when there is much to apply. */
const TASKS_MAX = 1_000;

/**
 * running: the member's current instance. superseded: a newer one has been started from the durable
 * rows; this one goes on until it touches its storage. dead: it does nothing any more.
 */
export type InstanceState = 'running' | 'superseded' | 'dead';

/** What runs in an instance: the whole member, or in plain runs its node alone. */
export interface Running {
  readonly node: Node;
  readonly runtime: Runtime | null;
}

/** One life of a member: its code and the world that it sees. */
export class Instance implements RuntimeHost {
  readonly owner: InstanceOwner;
  readonly disk: InstanceDisk;
  readonly links: RuntimeHost['links'];
  readonly prng: Prng;
  readonly name: string;
  readonly epoch: number;
  state: InstanceState = 'running';
  /** A write has failed: nothing that is written after it can become durable. */
  diskFailed = false;
  /** Everything that happens to it before this time waits. */
  pausedUntilUs = 0;
  /** The platform fails to refuse its writes once it is superseded; they go nowhere. */
  unfenced = false;
  /** It is killed at the so-many-th call to its host from now. */
  crashAfterCalls: number | null = null;
  readonly #world: World;
  readonly #observer: Observer;
  #running: Running | null = null;
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
    links: (instance: Instance) => RuntimeHost['links'],
  ) {
    this.#world = world;
    this.owner = owner;
    this.#observer = observer;
    this.epoch = live.epoch + 1;
    this.name = `m${owner.number}#${this.epoch}`;
    this.disk = new InstanceDisk(live, {
      beforeCall: (call) => this.#beforeStorageCall(call),
      beforeBatch: (batch) => this.#beforeBatch(batch),
      sync: (changes, done) => owner.sync(this, changes, done),
      reset: (error) => this.fatal(error),
    });
    this.links = this.#counted(links(this));
    this.prng = world.fork();
  }

  get id(): MemberId {
    return this.owner.id;
  }

  /** Historic bugs that are switched on. */
  get bugs(): ReadonlySet<string> {
    return this.#world.bugs;
  }

  get node(): Node {
    return must(this.#running, 'the instance has not started yet').node;
  }

  /** It has begun: there is a node. */
  get running(): boolean {
    return this.#running !== null;
  }

  /** Only where the whole member runs. */
  get runtime(): Runtime {
    return must(this.#running?.runtime, 'there is only a node here');
  }

  get alive(): boolean {
    return this.state !== 'dead';
  }

  /** Builds the member from rows and lets it run. */
  start(build: () => Running): void {
    this.step('starts', null, () => {
      this.#running = build();
      this.#observer.started(this);
      if (this.#running.runtime === null) this.#running.node.start();
    });
  }

  /** Asynchronous code of this instance: what its promises lead to happens here. */
  track(call: Promise<unknown>): void {
    this.#world.track(this, call);
  }

  /** Promises have gone on in between: what they ask for belongs to the event before. */
  continues(): boolean {
    if (!this.alive || this.#endOfEvent.length === 0) return false;
    if (this.#world.nowUs < this.pausedUntilUs) return false;
    this.step('continues', null, () => {});
    return true;
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
      if (this.alive) this.disk.seal();
      if (this.alive && this.#running !== null) this.#observer.stepped(this);
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
   * only some of it keeps its own.
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
    this.step(verb, detail, () => {
      if (this.state === 'running' || this.unfenced) run();
      else refuse();
    });
  }

  /** Ends the instance from outside. */
  kill(): void {
    this.state = 'dead';
    this.#world.forget(this);
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

  /** By this instance's clock. */
  setTimer(callback: () => void, ms: number): void {
    this.#world.after(ms / this.owner.clockRate, () => this.step('is called', null, callback));
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
    this.kill();
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
    if (this.state === 'superseded' && !this.unfenced) {
      this.#world.coverage.add('zombiesThatReachedStorage');
      // A follower knows what is committed of a leader who has said so already; with its rows
      // refused, or not written yet, the log that it counts in is not the one on disk.
      const role = this.#running?.node.status.raft.role;
      const isBeforeRows = call === 'batch' || call === 'touch';
      const isOwnWord = !isBeforeRows || role === 'leader';
      if (isOwnWord) this.#guarded(() => this.#observer.dying(this));
      this.#end(`superseded at ${call}`);
      throw new SupersededSignal(call);
    }
    this.#countCall();
  }

  #beforeBatch(batch: PersistBatch): void {
    // What is refused changes nothing; what only seems to be written changes the instance.
    const isTaken = this.state === 'running' || this.unfenced;
    if (isTaken) this.#guarded(() => this.#observer.writing(this, batch));
  }

  /** Messages of a dead instance go nowhere, those of a superseded one do. */
  #counted(links: RuntimeHost['links']): RuntimeHost['links'] {
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
      exchange: (to, body) => links.exchange(to, body),
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
