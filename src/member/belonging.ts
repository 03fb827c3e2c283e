import { create, toBinary } from '@bufbuild/protobuf';
import type { MemberHint } from '../api/call.ts';
import type { Command } from '../api/gen/command_pb.ts';
import { MemberListResponseSchema, type ResponseHeader } from '../api/gen/rpc_pb.ts';
import { locationInUrl, nameInUrl } from '../api/peer_url.ts';
import { requestTimeoutMs } from '../config.ts';
import type { MemberId } from '../raft/message.ts';
import type { SoftState } from '../raft/output.ts';
import type { MemberInfo, Membership } from '../state/member.ts';
import type { FrameBody } from '../transport/frame.ts';
import { type ClusterIdentity, numberOfId } from './identity.ts';
import type { Node } from './node.ts';
import type { Peering } from './peering.ts';
import { Roster, type RosterMember } from './roster.ts';
import type { MemberSettings } from './settings.ts';

/** A removed leader hands over at once; if nobody takes over, it leaves after so many elections. */
const HAND_OVER_ELECTIONS = 2;
/** Whoever is not told that it was removed asks more and more rarely. */
const ASK_MS_MAX = 60_000;

export interface BelongingHost {
  readonly settings: MemberSettings;
  readonly identity: ClusterIdentity;
  readonly peering: Pick<Peering, 'follow' | 'roster'> | null;
  node(): Node;
  header(): ResponseHeader;
  nowMs(): number;
  setTimer(callback: () => void, ms: number): void;
  exchange(to: MemberId, body: FrameBody): Promise<unknown>;
  /** The member has applied that it was removed: clients are served no more. */
  left(): void;
}

/** A member among the members: who they are for it, and what it is itself. */
export class Belonging {
  readonly #host: BelongingHost;
  readonly #roster: Roster;
  #leaderName: string | null = null;
  #isLearner = false;
  #votes = false;
  #hints: readonly MemberHint[] | null = null;
  #published = false;
  #leaving = false;
  #asking = false;

  constructor(host: BelongingHost) {
    this.#host = host;
    this.#roster = host.peering?.roster ?? new Roster(host.identity, host.settings.addresses);
    this.membersChanged();
  }

  get roster(): Roster {
    return this.#roster;
  }

  get leaderName(): string | null {
    return this.#leaderName;
  }

  /** It serves what needs nobody else, and nothing more. */
  get isLearner(): boolean {
    return this.#isLearner;
  }

  /** It is a voter by what it has applied: neither a learner nor one that has only just arrived. */
  get votes(): boolean {
    return this.#votes;
  }

  /** For the gateway of this deployment; null: the members are those that its variables name. */
  get hints(): readonly MemberHint[] | null {
    return this.#hints;
  }

  /** The members, or what is known of them, may be others. */
  membersChanged(): void {
    const { peering, identity } = this.#host;
    const { membership } = this.#host.node().machine;
    if (peering) peering.follow(membership);
    else this.#roster.follow(membership);
    const self = this.#self(membership);
    // As it was told, until it has applied the entry that added it: clients ask it before that.
    this.#isLearner = self?.isLearner ?? identity.learner === true;
    this.#votes = self ? !self.isLearner : !identity.arrived;
    this.#hints = membership.confIndex === 0 ? null : hintsOf(this.#roster.members);
    this.#leaderChanged();
    if (self) this.#publish(self);
    else if (membership.isRemoved(numberOfId(identity.memberId))) this.#leave();
  }

  softStateChanged({ leader }: SoftState): void {
    this.#leaderChanged();
    const self = this.#self(this.#host.node().machine.membership);
    if (leader !== null && self) this.#publish(self);
    if (leader === null && !this.#votes) this.#askWhetherRemoved();
  }

  /** As MemberList answers, for one that joins. */
  memberList(): Uint8Array {
    const members = listMembers(this.#host.node().machine.membership);
    const response = create(MemberListResponseSchema, { header: this.#host.header(), members });
    return toBinary(MemberListResponseSchema, response);
  }

  #self({ all }: Membership): MemberInfo | undefined {
    const id = numberOfId(this.#host.identity.memberId);
    return all.find((member) => member.id === id);
  }

  #leaderChanged(): void {
    const { leader } = this.#host.node().soft;
    this.#leaderName = leader === null ? null : this.#roster.nameOf(leader) || null;
  }

  /** Tells the cluster this member's name and where clients reach it, unless it knows. */
  #publish(known: MemberInfo): void {
    const { settings } = this.#host;
    const node = this.#host.node();
    if (this.#published || node.soft.leader === null) return;
    const { name, clientUrls, addresses } = settings;
    const address = addresses.find((peer) => peer.name === name);
    const peerUrls = address ? [address.url] : [...known.peerUrls];
    this.#published = true;
    const same = (a: readonly string[], b: readonly string[]) => a.join() === b.join();
    const isKnown = known.name === name && same(known.clientUrls, clientUrls);
    if (isKnown && same(known.peerUrls, peerUrls)) return;
    const request: Command['request'] = {
      case: 'memberPublish',
      value: {
        $typeName: 'edgetcd.MemberPublish',
        memberId: known.id,
        name,
        clientUrls: [...clientUrls],
        peerUrls: address ? peerUrls : [],
      },
    };
    node.propose(request, requestTimeoutMs(settings.electionTimeoutMs), ({ error }) => {
      if (error) this.#published = false;
    });
  }

  /**
   * Removed: clients are turned away when it does not lead any more, so that nobody waits for a new
   * leader. It answers its peers until one of them tells it that it was removed: those who do not
   * know yet that the change is committed may need its vote (Raft thesis §4.2.2).
   */
  #leave(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    const { settings } = this.#host;
    const lastMs = this.#host.nowMs() + HAND_OVER_ELECTIONS * settings.electionTimeoutMs;
    const look = () => {
      const leads = this.#host.node().soft.role === 'leader';
      if (leads && this.#host.nowMs() < lastMs) return this.#wait(look);
      this.#host.left();
      this.#askWhetherRemoved();
    };
    // Answers that are under way leave before the member does.
    this.#wait(look);
  }

  /**
   * Nobody speaks to a member that was removed, and who is no voter does not campaign: nothing
   * would ever tell it. The answer to any frame does.
   */
  #askWhetherRemoved(afterMs = this.#host.settings.electionTimeoutMs): void {
    if (this.#asking) return;
    this.#asking = true;
    this.#host.setTimer(() => {
      this.#asking = false;
      const { leader } = this.#host.node().soft;
      if (!this.#leaving && (leader !== null || this.#votes)) return;
      for (const { id } of this.#roster.members) {
        if (id === this.#host.identity.memberId) continue;
        void this.#host.exchange(id, { kind: 'hello' }).catch(() => undefined);
      }
      this.#askWhetherRemoved(Math.min(2 * afterMs, ASK_MS_MAX));
    }, afterMs);
  }

  #wait(callback: () => void): void {
    this.#host.setTimer(callback, this.#host.settings.heartbeatIntervalMs);
  }
}

/** Members elsewhere are no business of this deployment's gateway. */
function hintsOf(members: readonly RosterMember[]): readonly MemberHint[] | null {
  const hints = members.flatMap(({ url, isLearner }) => {
    const name = nameInUrl(url);
    return name === '' ? [] : [{ name, isLearner, location: locationInUrl(url) }];
  });
  return hints.length === 0 ? null : hints;
}

/** The members as etcd's API shows them. */
export function listMembers({ all }: Membership) {
  return all.map(({ id, name, peerUrls, clientUrls, isLearner }) => ({
    ID: id,
    name,
    peerURLs: [...peerUrls],
    clientURLs: [...clientUrls],
    isLearner,
  }));
}
