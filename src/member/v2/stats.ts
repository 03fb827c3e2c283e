import { rfc3339 } from '../../api/v2/event.ts';
import type { Role, SoftState } from '../../raft/output.ts';
import type { V2Host, V2Platform } from './host.ts';
import { message, type V2Answer, v2Id, v2Json } from './reply.ts';
import type { StoreStats } from './store_stats.ts';

const STATES: Readonly<Record<Role, string>> = {
  leader: 'StateLeader',
  follower: 'StateFollower',
  candidate: 'StateCandidate',
  preCandidate: 'StatePreCandidate',
};

/** /v2/stats/self, leader and store. */
export class V2Stats {
  readonly #host: V2Host;
  readonly #platform: V2Platform;
  readonly #store: StoreStats;
  readonly #watchers: () => number;
  readonly #startMs: number;
  #leader: string | null = null;
  #leaderSinceMs = 0;

  constructor(host: V2Host, platform: V2Platform, store: StoreStats, watchers: () => number) {
    this.#host = host;
    this.#platform = platform;
    this.#store = store;
    this.#watchers = watchers;
    this.#startMs = host.clock.wallClockMs();
  }

  softStateChanged({ leader }: SoftState): void {
    if (leader === this.#leader) return;
    this.#leader = leader;
    this.#leaderSinceMs = this.#host.clock.wallClockMs();
  }

  serve(of: 'self' | 'leader' | 'store'): V2Answer {
    if (of === 'store') return v2Json(200, {}, this.#store.encode(this.#watchers()));
    return of === 'self' ? v2Json(200, {}, this.#self()) : this.#leaderStats();
  }

  #self(): string {
    const { identity, settings, node, clock } = this.#host;
    const { peerStats } = this.#platform;
    const leader = this.#leader === null ? '' : v2Id(this.#leader);
    return JSON.stringify({
      name: settings.name,
      id: v2Id(identity.memberId),
      state: STATES[node.soft.role],
      startTime: rfc3339(this.#startMs),
      leaderInfo: {
        leader,
        uptime: goDuration(clock.wallClockMs() - this.#leaderSinceMs),
        startTime: rfc3339(this.#leaderSinceMs),
      },
      recvAppendRequestCnt: peerStats?.receivedCount ?? 0,
      sendAppendRequestCnt: peerStats?.sentCount ?? 0,
    });
  }

  #leaderStats(): V2Answer {
    const { identity, node } = this.#host;
    const { peerStats } = this.#platform;
    if (node.soft.role !== 'leader') return message(403, 'not current leader', {});
    const { voters, learners } = node.status.raft.confState;
    const others = [...voters, ...learners].filter((id) => id !== identity.memberId);
    const followers = others.map((id) => [v2Id(id), peerStats?.shown(id)] as const);
    const shown = { leader: v2Id(identity.memberId), followers: Object.fromEntries(followers) };
    return v2Json(200, {}, JSON.stringify(shown));
  }
}

/** Go's time.Duration in words: `1h2m3.5s`. */
function goDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = `${Number((seconds % 60).toFixed(3))}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}
