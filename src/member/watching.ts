import type { Prng } from '../lib/prng.ts';
import type { StateMachine } from '../state/machine.ts';
import type { ApplyResult } from '../state/result.ts';
import { Hub } from '../watch/hub.ts';
import type { Node } from './node.ts';
import type { ServiceHost } from './services/service.ts';
import { WatchStreams } from './watch_streams.ts';

export type WatchedMember = Pick<ServiceHost, 'node' | 'settings' | 'header'>;

export interface WatchingHost {
  readonly prng: Prng;
  readonly bugs?: ReadonlySet<string>;
  nowMs(): number;
  setTimer(callback: () => void, ms: number): void;
  soon(callback: () => void): void;
  defer(callback: () => void): void;
}

/** What a member's watches hear of it: applied entries, installed snapshots, changes of rights. */
export class Watching {
  readonly hub: Hub;
  readonly streams: WatchStreams;
  readonly #node: Node;
  /** Of users, roles and permissions, and whether they count: what was looked at last. */
  #authRevision: number;
  #authEnabled: boolean;

  constructor(member: WatchedMember, host: WatchingHost) {
    const { node } = member;
    this.#node = node;
    const { revision, enabled } = this.#machine.auth;
    this.#authRevision = revision;
    this.#authEnabled = enabled;
    this.hub = new Hub({
      source: () => this.#machine,
      // History is state: what cannot be read there ends the member.
      soon: (callback) => host.soon(() => node.guard(callback)),
      defer: (callback) => host.defer(() => node.guard(callback)),
      ...(host.bugs ? { bugs: host.bugs } : {}),
    });
    this.streams = new WatchStreams({
      nowMs: () => host.nowMs(),
      setTimer: (callback, ms) => host.setTimer(callback, ms),
      prng: host.prng,
      intervalMs: member.settings.watchProgressNotifyIntervalMs,
      header: (revision) => member.header(revision),
      termOf: () => node.soft.term,
    });
  }

  /** To be called for each entry that was applied, in order. */
  applied(result: ApplyResult): void {
    // Before anything that was changed under the new rights is sent under the old ones.
    this.#recheck();
    this.hub.applied(result);
  }

  /** A snapshot has taken the place of the state. */
  restored(): void {
    this.#recheck();
    this.hub.restored();
  }

  get #machine(): StateMachine {
    return this.#node.machine;
  }

  #recheck(): void {
    const { revision, enabled } = this.#machine.auth;
    if (revision === this.#authRevision && enabled === this.#authEnabled) return;
    this.#authRevision = revision;
    this.#authEnabled = enabled;
    this.streams.recheck();
  }
}
