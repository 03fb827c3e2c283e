import type { Input } from '../raft/input.ts';
import type { ProposeRequest } from '../raft/message.ts';

/** Proposals of other members that wait for the batch under way. */
export class HeldProposals {
  #inputs: Input[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(message: ProposeRequest): void {
    this.#inputs.push({ type: 'message', message });
    this.#count += message.proposals.length;
  }

  /** All of them, as inputs for the core. @returns how many proposals they are */
  take(inputs: Input[]): number {
    const count = this.#count;
    inputs.push(...this.#inputs);
    this.#inputs = [];
    this.#count = 0;
    return count;
  }
}
