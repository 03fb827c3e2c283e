import type { MemberId } from '../../src/raft/message.ts';
import type { MemberInfo } from '../../src/state/member.ts';
import { Checkers } from './checkers/checkers.ts';
import type { DiskImage } from './disk_image.ts';
import type { Instance } from './instance.ts';
import { Member } from './member.ts';
import { Network } from './network.ts';
import type { MemberPlan } from './plan.ts';
import type { World } from './world.ts';

/** Everybody who is or was a member, what connects them, and what watches them. */
export class Cluster {
  readonly checkers: Checkers;
  readonly network: Network;
  readonly #world: World;
  readonly #members: Member[] = [];
  /** Disks as they are, or were last: what a lost one had acknowledged counts for what it was. */
  readonly #images = new Map<MemberId, DiskImage>();

  constructor(world: World) {
    this.#world = world;
    this.checkers = new Checkers(world, this.#images);
    this.network = new Network(world, this.checkers, () => this.#members);
    const founders = world.plan.members.map(({ id }) => infoOf(id));
    for (const plan of world.plan.members) this.#add(plan, founders);
  }

  /** Those that run, or will again. */
  get members(): readonly Member[] {
    return this.#members.filter(({ retired }) => !retired);
  }

  find(id: MemberId): Member | null {
    return this.#members.find((member) => member.id === id) ?? null;
  }

  /** Instances that lead, or believe that they do. */
  get leaders(): Instance[] {
    const currents = this.members.flatMap(({ current }) => (current === null ? [] : [current]));
    return currents.filter(({ node }) => node.soft.role === 'leader');
  }

  /** A member that joins: it has nothing, and learns from a leader who the others are. */
  join(): Member {
    const id = (this.#members.length + 1).toString(16).padStart(16, '0');
    const { prng } = this.#world;
    const clockOffsetMs = Math.floor(prng.next() * 1_000_000);
    return this.#add({ id, clockRate: 0.8 + prng.next() * 0.4, clockOffsetMs }, []);
  }

  /** The member's disk is gone, and it with it. */
  lose(member: Member): void {
    this.#world.note(`m${member.number}`, 'loses its disk');
    member.retire();
  }

  #add(plan: MemberPlan, founders: readonly MemberInfo[]): Member {
    const member = new Member(this.#world, this.network, this.checkers, plan, founders);
    this.#members.push(member);
    this.#images.set(member.id, member.durable);
    return member;
  }
}

function infoOf(id: MemberId): MemberInfo {
  const peerUrls = [`do://${id}`];
  return { id: BigInt(`0x${id}`), name: id, clientUrls: [], peerUrls, isLearner: false };
}
