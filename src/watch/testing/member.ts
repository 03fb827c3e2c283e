import type { Event } from '../../api/gen/kv_pb.ts';
import { limits } from '../../config.ts';
import { StateMachine } from '../../state/machine.ts';
import { MemoryStateStore } from '../../state/memory_store.ts';
import type { ApplyResult } from '../../state/result.ts';
import { SnapshotReceiver } from '../../state/snapshot.ts';
import { Single } from '../../state/testing/single.ts';
import { Hub } from '../hub.ts';
import type { ClientHost } from './client.ts';

type Apply = Parameters<Single['apply']>[0];

/**
 * A member that follows: entries are written by `leader`, and applied here later, one by one or by
 * a snapshot. Events of the event loop happen when the test says so.
 */
export class Member implements ClientHost {
  readonly leader = new Single();
  /** All events ever, by revision: what the watchers are to see. */
  readonly history = new Map<number, readonly Event[]>();
  readonly bugs: ReadonlySet<string>;
  readonly #log: Uint8Array[] = [];
  readonly #store = new MemoryStateStore();
  #machine = this.#openMachine();
  #hub: Hub;
  #soon: (() => void)[] = [];
  #later: (() => void)[] = [];
  #sequence = 0;

  constructor(bugs: ReadonlySet<string> = new Set()) {
    this.bugs = bugs;
    this.#hub = this.#newHub();
  }

  get hub(): Hub {
    return this.#hub;
  }

  get machine(): StateMachine {
    return this.#machine;
  }

  revision(): number {
    return this.machine.revision;
  }

  get lag(): number {
    return this.#log.length - this.machine.appliedIndex;
  }

  defer(callback: () => void): void {
    this.#later.push(callback);
  }

  /** Writes at the leader. */
  write(request: Apply): ApplyResult | null {
    const data = this.leader.encode(request, 1, ++this.#sequence);
    this.#log.push(data);
    const result = this.leader.applyData(data);
    if (result && result.events.length > 0) this.history.set(result.revision, [...result.events]);
    return result;
  }

  /** Applies entries here, in one turn. */
  apply(count = this.lag): void {
    const results: ApplyResult[] = [];
    for (let i = 0; i < count && this.lag > 0; i++) {
      const index = this.machine.appliedIndex + 1;
      const data = this.#log[index - 1] as Uint8Array;
      const result = this.machine.apply({ index, term: 1, data });
      if (result) results.push(result);
    }
    if (this.machine.needsFlush()) this.machine.flush();
    for (const result of results) this.hub.applied(result);
    this.#endOfEvent();
  }

  /** The leader's state takes the place of this member's. */
  install(): void {
    if (this.lag === 0) return;
    const receiver = new SnapshotReceiver(this.#store);
    for (const chunk of this.leader.snapshotChunks()) receiver.write(chunk);
    receiver.finish();
    this.#store.stageInstall();
    this.#machine = this.#openMachine();
    this.hub.restored();
    this.#endOfEvent();
  }

  /**
   * Another instance of the member takes over from the rows: what was applied and not flushed is
   * applied again later.
   */
  restart(flushed: boolean): void {
    if (flushed) this.#machine.flush();
    this.#machine = this.#openMachine();
    this.#soon = [];
    this.#later = [];
    this.#hub = this.#newHub();
  }

  /** One event of the event loop; false when there is none. */
  step(): boolean {
    const task = this.#later.shift();
    if (task === undefined) return false;
    task();
    this.#endOfEvent();
    return true;
  }

  /** Until nothing is left to do. */
  settle(): void {
    this.#endOfEvent();
    for (let steps = 0; this.step(); steps++) {
      if (steps > 100_000) throw new Error('the hub is never done');
    }
  }

  #openMachine(): StateMachine {
    return new StateMachine(this.#store, undefined, {
      versionIndexBytesMax: limits.versionIndexBytesMax,
      previousWanted: () => this.#hub.previousWanted,
    });
  }

  #newHub(): Hub {
    return new Hub({
      source: () => this.machine,
      soon: (callback) => this.#soon.push(callback),
      defer: (callback) => this.defer(callback),
      bugs: this.bugs,
    });
  }

  #endOfEvent(): void {
    for (let task = this.#soon.shift(); task !== undefined; task = this.#soon.shift()) task();
  }
}
