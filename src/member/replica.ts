import { assert } from '../lib/assert.ts';
import { contextOf } from '../raft/confchange.ts';
import type { Input } from '../raft/input.ts';
import { type Entry, EntryKind } from '../raft/message.ts';
import { StateMachine } from '../state/machine.ts';
import { isAboutMembers } from '../state/membership.ts';
import type { ApplyResult } from '../state/result.ts';
import type { StateStore } from '../state/store.ts';
import { Staging } from './staging.ts';

/**
 * This member's copy of the replicated state, and the two ways in which it moves: committed entries
 * are applied one after another, and a snapshot that is here whole takes its place.
 */
export class Replica {
  readonly #store: StateStore;
  readonly #bugs: ReadonlySet<string> | undefined;
  /** The members, or what is known of them, may be others. */
  readonly #membersChanged: () => void;
  #machine: StateMachine;
  #staging: Staging;
  /** Up to where the core has been told that entries are applied. */
  #appliedTold = 0;

  constructor(
    store: StateStore,
    bugs: ReadonlySet<string> | undefined,
    membersChanged: () => void,
  ) {
    this.#store = store;
    this.#bugs = bugs;
    this.#membersChanged = membersChanged;
    this.#machine = new StateMachine(store, bugs);
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

  /** Adds for the core that entries have been applied since it was told last. */
  report(inputs: Input[]): void {
    const { appliedIndex } = this.#machine;
    if (appliedIndex <= this.#appliedTold) return;
    this.#appliedTold = appliedIndex;
    inputs.push({ type: 'applied', index: appliedIndex });
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
    this.#machine = new StateMachine(this.#store, this.#bugs);
    assert(this.#machine.appliedIndex === index, 'the installed state is not the one announced');
  }
}
