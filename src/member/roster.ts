import { nameInUrl } from '../api/peer_url.ts';
import type { MemberId } from '../raft/message.ts';
import type { MemberInfo, Membership } from '../state/member.ts';
import { type ClusterIdentity, idOfNumber, numberOfId } from './identity.ts';
import type { Peer } from './settings.ts';

/** A member as its peers need to know it. */
export interface RosterMember {
  readonly id: MemberId;
  /** As it calls itself, or as its address does while it has not started; else empty. */
  readonly name: string;
  readonly url: string;
  readonly isLearner: boolean;
}

/**
 * Who the members are and where they are reached: what the state machine has applied, or, as long
 * as that is nothing, what the member was told when it joined.
 */
export class Roster {
  readonly #addresses: ReadonlyMap<string, string>;
  #membership: Membership | null = null;
  #members: readonly RosterMember[];
  #names: ReadonlyMap<MemberId, string> = new Map();

  /** @param addresses where members are now, by name, whatever the cluster has on record */
  constructor({ members }: ClusterIdentity, addresses: readonly Peer[]) {
    this.#addresses = new Map(addresses.map(({ name, url }) => [name, url]));
    this.#members = members.map((member) => ({ ...member, isLearner: false }));
    this.#index();
  }

  get members(): readonly RosterMember[] {
    return this.#members;
  }

  nameOf(id: MemberId): string | null {
    return this.#names.get(id) ?? null;
  }

  /** Whether the id was a member's once and is no more. */
  isRemoved(id: MemberId): boolean {
    return this.#membership?.isRemoved(numberOfId(id)) ?? false;
  }

  /** The entry that made the members who they are; see {@link Membership}. */
  get confIndex(): number {
    return this.#membership?.confIndex ?? 0;
  }

  /** The members, or what is known of them, may be others. */
  follow(membership: Membership): void {
    this.#membership = membership;
    const { all } = membership;
    if (all.length === 0) return;
    this.#members = all.map((member) => this.#rosterMember(member));
    this.#index();
  }

  #rosterMember({ id, name: published, peerUrls, isLearner }: MemberInfo): RosterMember {
    const [recorded = ''] = peerUrls;
    const name = published === '' ? nameInUrl(recorded) : published;
    const url = this.#addresses.get(name) ?? recorded;
    return { id: idOfNumber(id), name, url, isLearner };
  }

  #index(): void {
    this.#names = new Map(this.#members.map(({ id, name }) => [id, name]));
  }
}
