import { proxyLimits } from '../../config/proxy.ts';
import type { MemberList, Search } from './member_list.ts';
import type { SrvName } from './srv.ts';

/** Where a cluster is looked for: by one of these. */
export type Start =
  /** Client URLs of members, as --endpoints has them. */
  | { readonly kind: 'clients'; readonly urls: readonly string[] }
  /** Peer URLs of members, as --initial-cluster has them. */
  | { readonly kind: 'peers'; readonly urls: readonly string[] }
  /** A name in DNS that leads to peer URLs. */
  | { readonly kind: 'srv'; readonly name: SrvName };

/** How the world is asked. */
export interface Questions {
  readonly list: (url: string, search: Search) => Promise<MemberList | null>;
  /** The peer URLs that DNS has. */
  readonly resolve: (name: SrvName) => Promise<readonly string[]>;
}

/**
 * Finds the members' client URLs, again and again: whoever is a member now says who the others
 * are, so that a proxy outlives all members with which it began.
 */
export class Finder {
  readonly #start: Start;
  readonly #questions: Questions;
  /** What was last said. */
  #known: MemberList | null = null;

  constructor(start: Start, questions: Questions) {
    this.#start = start;
    this.#questions = questions;
  }

  /** The URLs to send requests to, without duplicates; empty while nobody has said anything. */
  async find(): Promise<readonly string[]> {
    const list = await this.#ask();
    if (list !== null) this.#known = list;
    // An endpoint that was named is one, whatever it says of itself: what members advertise may
    // mean something else where the proxy runs.
    const named = this.#start.kind === 'clients' ? this.#start.urls : [];
    const urls = [...(this.#known?.clientUrls ?? []), ...named];
    return [...new Set(urls)].slice(0, proxyLimits.endpointsMax);
  }

  /** The first that answers is believed. */
  async #ask(): Promise<MemberList | null> {
    const search = this.#start.kind === 'clients' ? 'clients' : 'peers';
    const known = this.#known;
    const now = search === 'clients' ? known?.clientUrls : known?.peerUrls;
    for (const url of new Set([...(now ?? []), ...(await this.#named())])) {
      const list = await this.#questions.list(url, search);
      if (list !== null && this.#isOurs(list) && list.peerUrls.length > 0) return list;
    }
    return null;
  }

  async #named(): Promise<readonly string[]> {
    const start = this.#start;
    return start.kind === 'srv' ? this.#questions.resolve(start.name) : start.urls;
  }

  /** An address may have become another cluster's. */
  #isOurs({ clusterId }: MemberList): boolean {
    const known = this.#known?.clusterId ?? null;
    return known === null || clusterId === null || known === clusterId;
  }
}
