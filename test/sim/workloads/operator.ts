import { create } from '@bufbuild/protobuf';
import {
  MemberAddSchema,
  MemberPromoteSchema,
  MemberRemoveSchema,
} from '../../../src/api/gen/command_pb.ts';
import type { MemberId } from '../../../src/raft/message.ts';
import type { MembershipChange } from '../../../src/state/membership.ts';
import type { Cluster } from '../cluster.ts';
import type { Instance } from '../instance.ts';
import type { Member } from '../member.ts';
import { chance, pick } from '../random.ts';
import type { Scene } from './scene.ts';
import type { Workload } from './workload.ts';

const VOTERS_MAX = 5;
/** A learner is promoted when it has so much of the leader's log (M4), as in etcd. */
const CAUGHT_UP = 0.9;

/** A change whose outcome is not known. */
interface Open {
  readonly term: number;
  readonly joiner: Member | null;
}

/**
 * Somebody who changes who belongs to the cluster all the time: adds learners and promotes them,
 * adds voters, removes members, the leader too, and replaces those whose disk is gone.
 */
export class OperatorWorkload implements Workload {
  readonly goals = [];
  readonly #scene: Scene;
  readonly #cluster: Cluster;
  #open: Open[] = [];
  /** Its disk is gone: it is to be removed next. */
  #lost: MemberId | null = null;
  readonly #removed: MemberId[] = [];

  constructor(scene: Scene, cluster: Cluster) {
    this.#scene = scene;
    this.#cluster = cluster;
  }

  start(): void {
    this.#scene.later(this.#scene.world.plan.electionTimeoutMs * 1.5, () => {
      this.#resolve();
      const [leader] = this.#cluster.leaders;
      if (leader !== undefined) this.#change(leader);
      this.start();
    });
  }

  /**
   * A change of an earlier term than that of a committed entry has either been committed before it
   * or never will be: no log that still holds it can win.
   */
  #resolve(): void {
    const { committed } = this.#cluster.checkers;
    const lastTerm = committed.termAt(committed.lastIndex);
    this.#open = this.#open.filter(({ term, joiner }) => {
      if (term >= lastTerm) return true;
      if (joiner !== null) this.#dropUnlessMember(joiner);
      return false;
    });
  }

  #change(leader: Instance): void {
    const { prng } = this.#scene;
    const { voters, learners } = this.#cluster.checkers.configurations.current;
    const kind = prng.next();
    if (this.#lost !== null) return this.#remove(leader, this.#lost);
    if (kind < 0.08 && this.#removed.length > 0) return this.#tryToReturn(leader);
    const [learner] = learners;
    if (learner !== undefined && kind < 0.5) return this.#promote(leader, learner);
    const isLarge = voters.length >= VOTERS_MAX;
    if (voters.length < 3 ? kind < 0.75 : kind < 0.5 && !isLarge) return this.#add(leader);
    if (kind < 0.65 && this.#loses(voters)) return;
    if (chance(prng, 0.35)) return this.#remove(leader, leader.id);
    this.#remove(leader, pick(prng, [...voters, ...learners]));
  }

  #add(leader: Instance): void {
    const joiner = this.#cluster.join();
    const isLearner = chance(this.#scene.prng, 0.7);
    // It may be there before it is added, or some time after; the end of all faults starts it, too.
    this.#scene.world.afterAbout(this.#scene.world.plan.electionTimeoutMs, () => {
      if (joiner.current === null) joiner.start();
    });
    const peerUrls = [`do://${joiner.id}`];
    const value = create(MemberAddSchema, { memberId: numberOf(joiner.id), peerUrls, isLearner });
    this.#propose(
      leader,
      { case: 'memberAdd', value },
      joiner,
      isLearner ? 'learnersAdded' : 'votersAdded',
    );
  }

  #promote(leader: Instance, id: MemberId): void {
    const { progress, lastIndex } = leader.node.status.raft;
    if ((progress.get(id)?.match ?? 0) < CAUGHT_UP * lastIndex) return;
    const value = create(MemberPromoteSchema, { memberId: numberOf(id) });
    this.#propose(leader, { case: 'memberPromote', value }, null, 'learnersPromoted');
  }

  #remove(leader: Instance, id: MemberId): void {
    const value = create(MemberRemoveSchema, { memberId: numberOf(id) });
    const isLeader = leader.id === id;
    this.#propose(
      leader,
      { case: 'memberRemove', value },
      null,
      isLeader ? 'leadersRemoved' : 'membersRemoved',
      () => {
        this.#removed.push(id);
        if (this.#lost === id) this.#lost = null;
      },
    );
  }

  /** M5: an id that was removed is refused for ever. */
  #tryToReturn(leader: Instance): void {
    const id = pick(this.#scene.prng, this.#removed);
    const peerUrls = [`do://${id}/again`];
    const value = create(MemberAddSchema, { memberId: numberOf(id), peerUrls, isLearner: false });
    this.#scene.world.coverage.add('removedIdsTried');
    this.#propose(leader, { case: 'memberAdd', value }, null, 'removedIdsTried');
  }

  /** Only when the others are a majority whatever becomes of the changes under way. */
  #loses(voters: readonly MemberId[]): boolean {
    if (voters.length < 3 || this.#open.length > 0) return false;
    const members = voters.map((id) => this.#cluster.find(id));
    // Who does not know of the last change may need the votes of members before it.
    const { current } = this.#cluster.checkers.configurations;
    const knows = (member: Member | null) => {
      const conf = member?.current?.node.status.raft.confState;
      return conf?.voters.join() === current.voters.join();
    };
    if (!members.every(knows)) return false;
    const member = pick(this.#scene.prng, members);
    if (member === null) return false;
    this.#scene.world.coverage.add('disksLost');
    this.#cluster.lose(member);
    this.#lost = member.id;
    return true;
  }

  #propose(
    leader: Instance,
    request: MembershipChange,
    joiner: Member | null,
    kind:
      | 'learnersAdded'
      | 'votersAdded'
      | 'learnersPromoted'
      | 'membersRemoved'
      | 'leadersRemoved'
      | 'removedIdsTried',
    done: () => void = () => {},
  ): void {
    const { world } = this.#scene;
    const open = { term: leader.node.soft.term, joiner };
    this.#open.push(open);
    const close = () => {
      this.#open = this.#open.filter((other) => other !== open);
    };
    const run = () =>
      leader.node.proposeConfChange(request, world.plan.requestTimeoutMs, ({ result, error }) => {
        // What is late may happen still, and what a member had begun when it stopped.
        if (error !== undefined && /timed out|stopped/.test(error.message)) return;
        close();
        if (result !== undefined && result.error === null) {
          world.coverage.add(kind);
          done();
        } else if (joiner !== null) this.#dropUnlessMember(joiner);
      });
    leader.request('changes members', `${request.case} ${request.value.memberId}`, run, close);
  }

  #dropUnlessMember(joiner: Member): void {
    const { model } = this.#cluster.checkers.committed;
    if (!model.members.isMember(numberOf(joiner.id))) joiner.retire();
  }
}

function numberOf(id: MemberId): bigint {
  return BigInt(`0x${id}`);
}
