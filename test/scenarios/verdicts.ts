import { assert } from '../../src/lib/assert.ts';
import type { Entry, Message } from '../../src/raft/message.ts';
import { type AppliedState, stateLine } from './disk.ts';
import type { Instance } from './instance.ts';
import { idOf, printMessage } from './print.ts';

/**
 * What must hold in every scenario, whatever it is about (Raft's safety properties, thesis
 * figure 3.2, and the durability contract). A violation fails the script, update or not.
 */
export class Verdicts {
  readonly #leaderOfTerm = new Map<number, number>();
  /** What was ever applied anywhere, by index: the one history of the cluster. */
  readonly #history: string[] = [];
  /** Reads that wait: what had been applied somewhere when they arrived. */
  readonly #readFloors = new Map<Instance, Map<number, number>>();

  /** Election Safety: at most one leader in a term. */
  leads(member: number, term: number): void {
    const other = this.#leaderOfTerm.get(term) ?? member;
    assert(other === member, `members ${other} and ${member} both lead term ${term}`);
    this.#leaderOfTerm.set(term, member);
  }

  /** State Machine Safety: nobody applies another entry at the same index. */
  applies(instance: Instance, entry: Entry): void {
    const line = stateLine(entry);
    const known = this.#history[entry.index - 1];
    assert(
      known === undefined || known === line,
      `${instance.label} applies ${entry.index}/${line}, elsewhere it was ${known}`,
    );
    this.#history[entry.index - 1] = line;
  }

  /** Installing a snapshot is applying all of it. */
  installs(instance: Instance, state: AppliedState): void {
    for (const [position, line] of state.entries()) {
      assert(
        this.#history[position] === line,
        `${instance.label} installs ${position + 1}/${line}, elsewhere ${this.#history[position]}`,
      );
    }
  }

  asks(instance: Instance, id: number): void {
    const floors = this.#readFloors.get(instance) ?? new Map<number, number>();
    floors.set(id, this.#history.length);
    this.#readFloors.set(instance, floors);
  }

  /** Linearizability: a read sees at least what had been applied anywhere when it was asked. */
  answers(instance: Instance, id: number, index: number): void {
    const floor = this.#readFloors.get(instance)?.get(id) ?? Number.POSITIVE_INFINITY;
    assert(index >= floor, `${instance.label} reads at ${index}, ${floor} was applied before`);
  }

  /** What a member says about itself is on its disk (a superseded instance has no disk to ask). */
  leaves(instance: Instance, message: Message): void {
    if (instance.superseded) return;
    const { disk } = instance.member;
    const what = `${instance.label} sends ${printMessage(message)}`;
    if (message.type === 'appendReply' && message.accepted) {
      assert(message.index <= disk.lastIndex, `${what}, durable is ${disk.lastIndex}`);
    }
    const votes = message.type === 'voteReply' && message.granted && !message.pre;
    if (votes) {
      assert(disk.hardState.term >= message.term, `${what}, durable is t${disk.hardState.term}`);
      const { term, vote } = disk.hardState;
      assert(term > message.term || vote === message.to, `${what}, the durable vote is ${vote}`);
    }
    if (message.type === 'vote' && !message.pre) {
      const own = idOf(instance.member.number);
      assert(disk.hardState.vote === own, `${what}, its own vote is not durable`);
    }
  }

  forget(instance: Instance): void {
    this.#readFloors.delete(instance);
  }
}
