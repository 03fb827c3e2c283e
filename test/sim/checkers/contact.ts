import type { Message } from '../../../src/raft/message.ts';
import type { RaftStatus } from '../../../src/raft/raft.ts';
import type { Instance } from '../instance.ts';
import { holds } from '../violation.ts';
import type { World } from '../world.ts';
import type { View } from './view.ts';

/**
 * What a leader may lag behind its own clock: the turn in which it notices comes after the alarm.
 */
const SLACK = 1.1;

/** E7 and L10: a leader's knowledge of its peers. */
export class ContactChecker {
  readonly #world: World;
  readonly #size: number;

  constructor(world: World, size: number) {
    this.#world = world;
    this.#size = size;
  }

  elected(view: View): void {
    view.leaderSinceUs = this.#world.nowUs;
    view.heardUs.clear();
    view.match.clear();
  }

  receiving(view: View, messages: readonly Message[]): void {
    for (const { from } of messages) view.heardUs.set(from, this.#world.nowUs);
  }

  stepped(instance: Instance, view: View, status: RaftStatus): void {
    if (status.role !== 'leader') return;
    this.#checkMatch(instance, view, status);
    if (status.quiescent) {
      if (view.leaderSinceUs !== this.#world.nowUs) this.#world.coverage.add('quiesced');
      view.leaderSinceUs = this.#world.nowUs;
      return;
    }
    this.#checkContact(instance, view);
  }

  /** E7: contact with a quorum is younger than one election timeout, by the leader's own clock. */
  #checkContact(instance: Instance, view: View): void {
    const { nowUs, plan } = this.#world;
    const limitUs = (plan.electionTimeoutMs * 1000 * SLACK) / instance.owner.clockRate + 1000;
    const sinceUs = Math.max(view.leaderSinceUs, instance.pausedUntilUs);
    if (nowUs - sinceUs <= limitUs) return;
    let heard = 1;
    for (const atUs of view.heardUs.values()) if (nowUs - atUs <= limitUs) heard++;
    holds(heard * 2 > this.#size, 'E7', () => {
      return `${instance.name} leads and has heard ${heard - 1} of ${this.#size - 1} peers within an election timeout`;
    });
  }

  /** L10: match < next <= last + 1, and what a peer has acknowledged does not shrink. */
  #checkMatch(instance: Instance, view: View, status: RaftStatus): void {
    for (const [peer, { match, next }] of status.progress) {
      holds(match < next && next <= status.lastIndex + 1, 'L10', () => {
        return `${instance.name} has match ${match} and next ${next} of ${peer}, its last is ${status.lastIndex}`;
      });
      holds(match >= (view.match.get(peer) ?? 0), 'L10', () => {
        return `${instance.name} takes the match of ${peer} back to ${match}`;
      });
      view.match.set(peer, match);
    }
  }
}
