import { limits } from '../../../src/config.ts';
import type { MemberId, Message } from '../../../src/raft/message.ts';
import type { RaftStatus } from '../../../src/raft/raft.ts';
import type { Instance } from '../instance.ts';
import { holds } from '../violation.ts';
import type { World } from '../world.ts';
import { isQuorum } from './quorum.ts';
import type { View } from './view.ts';

/**
 * What a leader may lag behind its own clock: the turn in which it notices comes after the alarm.
 */
const SLACK = 1.1;

/** E7 and L10: a leader's knowledge of its peers. */
export class ContactChecker {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
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
    if (status.role !== 'leader') {
      view.quiescent = false;
      return;
    }
    this.#checkMatch(instance, view, status);
    const slept = view.quiescent;
    view.quiescent = status.quiescent;
    if (status.quiescent && !slept) this.#world.coverage.add('quiesced');
    // Whoever sleeps hears nobody, and has just woken now at the latest.
    if (status.quiescent || slept) {
      view.leaderSinceUs = this.#world.nowUs;
      return;
    }
    this.#checkContact(instance, view);
  }

  /** E7: contact with a quorum is younger than one election timeout, by the leader's own clock. */
  #checkContact(instance: Instance, view: View): void {
    const { nowUs, plan } = this.#world;
    // An acknowledgement that changes nothing waits for what comes next, so long at most.
    const limitMs = plan.electionTimeoutMs * SLACK + limits.commitDelayMs;
    const limitUs = (limitMs * 1000) / instance.owner.clockRate + 1000;
    const sinceUs = Math.max(view.leaderSinceUs, instance.pausedUntilUs);
    if (nowUs - sinceUs <= limitUs) return;
    const { confState } = view;
    const has = (id: MemberId) =>
      id === instance.id || nowUs - (view.heardUs.get(id) ?? 0) <= limitUs;
    holds(isQuorum(confState, has), 'E7', () => {
      return `${instance.name} leads and has heard no quorum within an election timeout`;
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
