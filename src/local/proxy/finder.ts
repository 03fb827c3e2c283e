import { proxyLimits } from './limits.ts';
import { listMembers, type MemberList, type Search } from './member_list.ts';

/** Where a cluster is looked for. */
export interface Start {
  /** Of members, as --endpoints has them. */
  readonly clientUrls: readonly string[];
  /** Of members, as --initial-cluster has them. */
  readonly peerUrls: readonly string[];
}

type List = (url: string, search: Search) => Promise<MemberList | null>;

/**
 * Finds the members' client URLs, again and again: whoever is a member now says who the others
 * are, so that a proxy outlives all members with which it began.
 */
export class Finder {
  readonly #start: Start;
  readonly #list: List;
  /** What was last said. */
  #known: MemberList | null = null;

  constructor(start: Start, list: List = listMembers) {
    this.#start = start;
    this.#list = list;
  }

  /** The URLs to send requests to, without duplicates; empty while nobody has said anything. */
  async find(): Promise<readonly string[]> {
    const list = await this.#ask();
    if (list !== null) this.#known = list;
    // An endpoint that was named is one, whatever it says of itself: what members advertise may
    // mean something else where the proxy runs.
    const urls = [...(this.#known?.clientUrls ?? []), ...this.#start.clientUrls];
    return [...new Set(urls)].slice(0, proxyLimits.endpointsMax);
  }

  /** The first that answers is believed. */
  async #ask(): Promise<MemberList | null> {
    for (const [search, urls] of this.#places()) {
      for (const url of new Set(urls)) {
        const list = await this.#list(url, search);
        if (list !== null && this.#isOurs(list) && list.peerUrls.length > 0) return list;
      }
    }
    return null;
  }

  #places(): readonly (readonly [Search, readonly string[]])[] {
    const { clientUrls, peerUrls } = this.#start;
    const known = this.#known;
    const clients = [...(known?.clientUrls ?? []), ...clientUrls];
    const peers = [...(known?.peerUrls ?? []), ...peerUrls];
    return peerUrls.length === 0 ? [['clients', clients]] : [['peers', peers]];
  }

  /** An address may have become another cluster's. */
  #isOurs({ clusterId }: MemberList): boolean {
    const known = this.#known?.clusterId ?? null;
    return known === null || clusterId === null || known === clusterId;
  }
}
