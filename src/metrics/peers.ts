import { doubling } from './buckets.ts';
import type { Counter, Gauge, Histogram } from './metric.ts';
import type { Registry } from './registry.ts';

/** One peer's series, looked up by their labels once. */
export interface PeerSeries {
  readonly roundTripSeconds: Histogram;
  readonly sentBytes: Counter;
  readonly receivedBytes: Counter;
  readonly sentFailures: Counter;
  readonly receivedFailures: Counter;
  readonly active: Gauge;
  readonly known: Gauge;
}

/** The way to and from the peers, under etcd's names. Ids are in hex, as etcd prints them. */
export class PeerMetrics {
  readonly #roundTripSeconds;
  readonly #sentBytes;
  readonly #receivedBytes;
  readonly #sentFailures;
  readonly #receivedFailures;
  readonly #active;
  readonly #known;
  readonly #peers = new Map<string, PeerSeries>();

  constructor(r: Registry) {
    this.#roundTripSeconds = r.histograms(
      'etcd_network_peer_round_trip_time_seconds',
      'From sending messages to a peer to its answer.',
      ['To'],
      doubling(0.0001, 16),
    );
    const failures = 'Requests of a peer that could not be taken.';
    this.#sentBytes = r.counters('etcd_network_peer_sent_bytes_total', 'Bytes sent.', ['To']);
    this.#receivedBytes = r.counters('etcd_network_peer_received_bytes_total', 'Bytes received.', [
      'From',
    ]);
    this.#sentFailures = r.counters('etcd_network_peer_sent_failures_total', 'Failed sends.', [
      'To',
    ]);
    this.#receivedFailures = r.counters('etcd_network_peer_received_failures_total', failures, [
      'From',
    ]);
    const ends = ['Local', 'Remote'] as const;
    this.#active = r.gauges('etcd_network_active_peers', '1 while the peer answers.', ends);
    this.#known = r.gauges('etcd_network_known_peers', '1 for every peer of the cluster.', ends);
  }

  /** Only of ids that belong to the cluster: each has a dozen series. */
  of(local: string, remote: string): PeerSeries {
    const known = this.#peers.get(remote);
    if (known !== undefined) return known;
    const [here, there] = [etcdId(local), etcdId(remote)];
    const series: PeerSeries = {
      roundTripSeconds: this.#roundTripSeconds.with(there),
      sentBytes: this.#sentBytes.with(there),
      receivedBytes: this.#receivedBytes.with(there),
      sentFailures: this.#sentFailures.with(there),
      receivedFailures: this.#receivedFailures.with(there),
      active: this.#active.with(here, there),
      known: this.#known.with(here, there),
    };
    this.#peers.set(remote, series);
    return series;
  }

  /** The series of an id that is or was a peer's: whoever sends chooses what id it shows. */
  find(remote: string): PeerSeries | undefined {
    return this.#peers.get(remote);
  }

  /** Says who the peers are now: one that was removed is not known any more. */
  setKnown(local: string, remotes: readonly string[]): void {
    for (const [remote, { known, active }] of this.#peers) {
      if (remotes.includes(remote)) continue;
      known.set(0);
      active.set(0);
    }
    for (const remote of remotes) this.of(local, remote).known.set(1);
  }
}

/** Ids have sixteen digits here; etcd prints none that say nothing. */
function etcdId(id: string): string {
  return id.replace(/^0+(?=.)/, '');
}
