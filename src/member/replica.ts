import { assert } from '../lib/assert.ts';
import { contextOf } from '../raft/confchange.ts';
import type { Input } from '../raft/input.ts';
import { type Entry, EntryKind } from '../raft/message.ts';
import { StateMachine } from '../state/machine.ts';
import { isAboutMembers } from '../state/membership.ts';
import type { ApplyResult } from '../state/result.ts';
import type { StateStore } from '../state/store.ts';
import type { NodeOptions } from './node_options.ts';
import { Staging } from './staging.ts';

type ReplicaOptions = Pick<NodeOptions, 'bugs' | 'isAttended' | 'surroundings'>;

/**
 * This member's copy of the replicated state, and the two ways in which it moves: committed entries
 * are applied one after another, and a snapshot that is here whole takes its place.
 */
export class Replica {
  readonly #store: StateStore;
  readonly #options: ReplicaOptions;
  /** The members, or what is known of them, may be others. */
  readonly #membersChanged: () => void;
  #machine: StateMachine;
  #staging: Staging;
  /** Up to where the core has been told that entries are applied. */
  #appliedTold = 0;
  /** What the core has been told of clients that watch. */
  #attendedTold = false;

  constructor(store: StateStore, options: ReplicaOptions, membersChanged: () => void) {
    this.#store = store;
    this.#options = options;
    this.#membersChanged = membersChanged;
    this.#machine = new StateMachine(store, options.bugs, options.surroundings);
    this.#staging = new Staging(store);
  }

  get machine(): StateMachine {
    return this.#machine;
  }

  /** What the commands in the entries did. */
  apply(entries: readonly Entry[]): ApplyResult[] {
    const results: ApplyResult[] = [];
    let aboutMembers = false;
    for (const { index, term, kind, data } of entries) {
      const confChange = kind === EntryKind.confChange;
      const command = confChange ? contextOf(data) : data;
      const result = this.#machine.apply({ index, term, data: command, confChange });
      if (result === null) continue;
      results.push(result);
      aboutMembers ||= isAboutMembers(result.command.request);
    }
    if (aboutMembers) this.#membersChanged();
    return results;
  }

  /** Adds for the core what has changed since it was told last: what is applied, who watches. */
  report(inputs: Input[]): void {
    const { appliedIndex } = this.#machine;
    if (appliedIndex > this.#appliedTold) {
      this.#appliedTold = appliedIndex;
      inputs.push({ type: 'applied', index: appliedIndex });
    }
    const attended = this.#options.isAttended?.() ?? false;
    if (attended === this.#attendedTold) return;
    this.#attendedTold = attended;
    inputs.push({ type: 'attended', attended });
  }

  /** One chunk of a snapshot, in order; false when it does not continue what is staged. */
  receiveChunk(transferId: string, sequence: number, chunk: Uint8Array): boolean {
    return this.#staging.take(transferId, sequence, chunk);
  }

  /** An announced snapshot must still be what is staged when the turn comes that installs it. */
  isInstallable(input: Input): boolean {
    if (input.type !== 'message' || input.message.type !== 'snapshot') return true;
    return this.#staging.holds(input.message);
  }

  /** The disk has put the staged snapshot in the place of the rows; the next entry follows it. */
  installed(index: number): void {
    this.#staging = new Staging(this.#store);
    const { bugs, surroundings } = this.#options;
    this.#machine = new StateMachine(this.#store, bugs, surroundings);
    assert(this.#machine.appliedIndex === index, 'the installed state is not the one announced');
  }
}
