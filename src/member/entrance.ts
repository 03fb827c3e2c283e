import { must } from '../lib/assert.ts';
import type { MetaTable } from '../storage/meta.ts';
import type { PeerIdentity } from '../transport/frame.ts';
import type { LinkEvents } from '../transport/links.ts';
import { admit } from './admission.ts';
import { type BootstrapHost, withFounders } from './bootstrap/founders.ts';
import { type ClusterIdentity, clusterIdentity, keepIdentity, keptIdentity } from './identity.ts';
import { linkTo, Peering, type PeerNamespace } from './peering.ts';
import type { MemberSettings, Peer } from './settings.ts';
import { drawDatabaseId } from './system.ts';
import type { Timers } from './timers.ts';

export interface EntranceHost {
  readonly settings: MemberSettings;
  readonly meta: MetaTable;
  readonly namespace: PeerNamespace;
  readonly timers: Timers;
  /** The ways to founders that the settings do not name. */
  readonly outside: Pick<BootstrapHost, 'ask' | 'resolver'>;
  readonly events: Omit<LinkEvents, 'check' | 'after'>;
  nowMs(): number;
  /** Resolves when what was written so far is durable. */
  durable(): Promise<void>;
  /** Why the member does not take part yet, and why it may never. */
  waiting(reason: string): void;
  refused(reason: string): void;
  /** It knows who it is. */
  presented(identity: ClusterIdentity): void;
}

/** A member that may take part. */
export interface Entered {
  readonly identity: ClusterIdentity;
  readonly peering: Peering;
}

/** The way of a member into its cluster, and who it is for its peers from then on. */
export class Entrance {
  readonly #host: EntranceHost;
  readonly #databaseId: string;
  #self: PeerIdentity | null = null;
  #peering: Peering | null = null;

  constructor(host: EntranceHost) {
    this.#host = host;
    const { meta } = host;
    this.#databaseId = meta.text('databaseId') ?? drawDatabaseId();
    meta.set('databaseId', this.#databaseId);
  }

  /** Null while the member does not know yet who it is. */
  get self(): PeerIdentity | null {
    return this.#self;
  }

  get peering(): Peering | null {
    return this.#peering;
  }

  /** It was in before: its own rows say who it is, and nobody else is needed. Null: it was not. */
  async reenter(): Promise<Entered | null> {
    const { meta, settings } = this.#host;
    if (meta.number('joined') === null) return null;
    const identity = keptIdentity(meta) ?? (await clusterIdentity(settings));
    return { identity, peering: this.#present(identity) };
  }

  /** The first start. Null: its peers do not want it, and waiting does not mend that. */
  async enter(): Promise<Entered | null> {
    const { meta, timers, outside } = this.#host;
    const settings = await withFounders(this.#host.settings, {
      ...outside,
      meta,
      sleep: (ms) => timers.sleep(ms),
      waiting: (reason) => this.#host.waiting(reason),
      durable: () => this.#host.durable(),
    });
    const identity = await admit(settings, {
      databaseId: this.#databaseId,
      linkTo: (peer) => this.#linkTo(peer),
      sleep: (ms) => timers.sleep(ms),
      waiting: (reason) => this.#host.waiting(reason),
      refused: (reason) => this.#host.refused(reason),
      durable: () => this.#host.durable(),
      present: (presented) => this.#present(presented),
    });
    if (identity === null) return null;
    keepIdentity(meta, identity);
    meta.set('joined', 1);
    return { identity, peering: must(this.#peering, 'whoever is admitted was presented') };
  }

  #linkTo(peer: Peer) {
    const { settings, namespace, timers } = this.#host;
    return linkTo(peer, settings, namespace, (callback, ms) => timers.after(callback, ms));
  }

  /** Peers are reached, and heard, under this identity from now on. */
  #present(identity: ClusterIdentity): Peering {
    const { settings, meta, events, timers } = this.#host;
    const { clusterId, memberId } = identity;
    const self = { clusterId, memberId, databaseId: this.#databaseId };
    this.#self = self;
    this.#host.presented(identity);
    this.#peering = new Peering(
      { self, identity, settings, meta, linkTo: (peer) => this.#linkTo(peer) },
      { ...events, after: (callback, ms) => timers.after(callback, ms) },
      () => this.#host.nowMs(),
    );
    return this.#peering;
  }
}
