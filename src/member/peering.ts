import { locationInUrl, nameInUrl } from '../api/peer_url.ts';
import { limits } from '../config.ts';
import type { MemberId } from '../raft/message.ts';
import type { Membership } from '../state/member.ts';
import type { MetaTable } from '../storage/meta.ts';
import type { PeerIdentity } from '../transport/frame.ts';
import { type LinkEvents, Links } from '../transport/links.ts';
import {
  type Fetcher,
  type LinkLimits,
  type PeerLink,
  stubLink,
  urlLink,
} from '../transport/peer.ts';
import type { ClusterIdentity } from './identity.ts';
import { KnownPeers } from './peers.ts';
import { Roster } from './roster.ts';
import type { MemberSettings, Peer } from './settings.ts';

/** The namespace of members: the way to those of the same deployment. */
export interface PeerNamespace {
  getByName(name: string, options?: { locationHint?: DurableObjectLocationHint }): Fetcher;
}

/** The way to a member, by its URL. */
export function linkTo(
  peer: Peer,
  settings: MemberSettings,
  namespace: PeerNamespace,
  after: LinkLimits['after'],
): PeerLink {
  const bounds = { timeoutMs: settings.electionTimeoutMs, idleMs: limits.peerSocketIdleMs, after };
  const name = nameInUrl(peer.url);
  if (name !== '') {
    // Whoever reaches for it first makes it.
    const locationHint = locationInUrl(peer.url) as DurableObjectLocationHint | null;
    const options = locationHint === null ? {} : { locationHint };
    return stubLink(() => namespace.getByName(`${settings.cluster}/${name}`, options), bounds);
  }
  const fetcher: Fetcher = { fetch: (target, init) => fetch(target, init) };
  return urlLink(fetcher, peer.url, settings.peerSecret, bounds);
}

/** This member among its peers: who they are, the ways to them, and by what they are known. */
export class Peering {
  readonly roster: Roster;
  readonly known: KnownPeers;
  readonly links: Links;
  readonly #self: MemberId;
  readonly #linkTo: (peer: Peer) => PeerLink;
  /** The URLs of the links that are open. */
  readonly #opened = new Map<MemberId, string>();

  constructor(
    parts: {
      readonly self: PeerIdentity;
      readonly identity: ClusterIdentity;
      readonly settings: MemberSettings;
      readonly meta: MetaTable;
      readonly linkTo: (peer: Peer) => PeerLink;
    },
    events: Omit<LinkEvents, 'check'>,
    nowMs: () => number,
  ) {
    const { self, identity, settings, meta } = parts;
    this.#self = self.memberId;
    this.#linkTo = parts.linkTo;
    this.roster = new Roster(identity, settings.addresses);
    this.known = new KnownPeers(meta, identity.clusterId, this.roster);
    const check = (sender: PeerIdentity) => this.known.check(sender)?.reason ?? null;
    this.links = new Links(self, new Map(), { ...events, check }, nowMs);
    this.#connect();
  }

  /** The members, or what is known of them, may be others. */
  follow(membership: Membership): void {
    this.roster.follow(membership);
    this.#connect();
  }

  #connect(): void {
    const gone = new Set(this.#opened.keys());
    for (const { id, name, url } of this.roster.members) {
      if (id === this.#self) continue;
      gone.delete(id);
      if (this.#opened.get(id) === url) continue;
      this.#opened.set(id, url);
      this.links.open(id, this.#linkTo({ name, url }));
    }
    for (const id of gone) {
      this.#opened.delete(id);
      this.links.close(id);
    }
  }
}
