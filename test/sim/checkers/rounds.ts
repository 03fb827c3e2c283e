import type { MemberId, Message } from '../../../src/raft/message.ts';
import type { Instance } from '../instance.ts';
import { holds } from '../violation.ts';
import type { World } from '../world.ts';
import type { ConfigurationChecker } from './configurations.ts';
import { isQuorum } from './quorum.ts';

/**
 * R6, for members that hold no leases on leadership: a linearizable read is answered only when a
 * quorum has spoken in one term since it began. That is what a round is, and what a request that
 * vouches is; a clock is neither.
 */
export class RoundChecker {
  readonly #world: World;
  readonly #configurations: ConfigurationChecker;
  /** By term and member, when it last spoke in that term. */
  readonly #spokenUs = new Map<number, Map<MemberId, number>>();

  constructor(world: World, configurations: ConfigurationChecker) {
    this.#world = world;
    this.#configurations = configurations;
  }

  sending(messages: readonly Message[]): void {
    for (const message of messages) {
      const { type, from, term } = message;
      // These name a term that nobody may be in.
      if (type === 'vote' && message.pre) continue;
      if (type === 'voteReply' && message.pre) continue;
      const spoken = this.#spokenUs.get(term) ?? new Map<MemberId, number>();
      this.#spokenUs.set(term, spoken.set(from, this.#world.nowUs));
    }
  }

  /** The instance answers a read that began at that time. */
  answers(instance: Instance, sinceUs: number): void {
    // The leader that has confirmed it may know of a change that the instance has not applied yet.
    const configs = [instance.node.status.raft.confState, ...this.#configurations.latest];
    const alone = (id: MemberId) => id === instance.id;
    if (configs.some((config) => isQuorum(config, alone))) return;
    for (const spoken of this.#spokenUs.values()) {
      const has = (id: MemberId) => id === instance.id || (spoken.get(id) ?? -1) >= sinceUs;
      if (configs.some((config) => isQuorum(config, has))) return;
    }
    holds(false, 'R6', () => `${instance.name} answers a read without a word of a quorum`);
  }
}
