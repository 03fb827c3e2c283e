import type { CallContext } from '../api/call.ts';
import type { Upstream } from './upstream.ts';
import { WatchHub } from './watch_hub.ts';
import type { WatchHost } from './watch_stream.ts';

/**
 * Watches are shared by those who show the same token only: who may see a key is decided when its
 * watch is made.
 */
export class WatchHubs implements WatchHost {
  readonly upstream: Upstream;
  readonly #hubs = new Map<string, WatchHub>();

  constructor(upstream: Upstream) {
    this.upstream = upstream;
  }

  /** Watches that are open upstream for all who share them. */
  get sharedCount(): number {
    let count = 0;
    for (const hub of this.#hubs.values()) count += hub.watchCount;
    return count;
  }

  hubOf(context: CallContext): WatchHub {
    const { token, requireLeader } = context;
    const name = JSON.stringify([token, requireLeader]);
    const known = this.#hubs.get(name);
    if (known !== undefined && !known.isOver) return known;
    const hub: WatchHub = new WatchHub(this.upstream, context, () => {
      if (this.#hubs.get(name) === hub) this.#hubs.delete(name);
    });
    this.#hubs.set(name, hub);
    return hub;
  }
}
