import type { MemberId } from '../../raft/message.ts';

interface Latency {
  successes: number;
  failures: number;
  currentMs: number;
  sumMs: number;
  squaresMs: number;
  minimumMs: number;
  maximumMs: number;
}

/** What has come from peers, gone to them, and how long they took to answer. */
export class PeerStats {
  readonly #peers = new Map<MemberId, Latency>();
  #received = 0;
  #sent = 0;

  get receivedCount(): number {
    return this.#received;
  }

  get sentCount(): number {
    return this.#sent;
  }

  /** A frame of a peer. */
  received(): void {
    this.#received++;
  }

  /** A frame to a peer was answered after so long. */
  exchanged(peer: MemberId, ms: number): void {
    const latency = this.#of(peer);
    this.#sent++;
    latency.successes++;
    latency.currentMs = ms;
    latency.sumMs += ms;
    latency.squaresMs += ms * ms;
    latency.minimumMs = Math.min(latency.minimumMs, ms);
    latency.maximumMs = Math.max(latency.maximumMs, ms);
  }

  failed(peer: MemberId): void {
    this.#sent++;
    this.#of(peer).failures++;
  }

  /** Of one peer, as /v2/stats/leader shows it. */
  shown(peer: MemberId) {
    const { successes, failures, currentMs, sumMs, squaresMs, ...bounds } = this.#of(peer);
    const average = successes === 0 ? 0 : sumMs / successes;
    const variance = successes === 0 ? 0 : squaresMs / successes - average * average;
    return {
      latency: {
        current: currentMs,
        average,
        standardDeviation: Math.sqrt(Math.max(0, variance)),
        minimum: successes === 0 ? 0 : bounds.minimumMs,
        maximum: bounds.maximumMs,
      },
      counts: { fail: failures, success: successes },
    };
  }

  #of(peer: MemberId): Latency {
    const known = this.#peers.get(peer);
    if (known !== undefined) return known;
    const sums = { sumMs: 0, squaresMs: 0, minimumMs: Number.POSITIVE_INFINITY, maximumMs: 0 };
    const latency = { successes: 0, failures: 0, currentMs: 0, ...sums };
    this.#peers.set(peer, latency);
    return latency;
  }
}
