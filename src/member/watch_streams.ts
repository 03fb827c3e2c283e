import type { ResponseHeader } from '../api/gen/rpc_pb.ts';
import { limits } from '../config.ts';
import type { Prng } from '../lib/prng.ts';

const TICK_MS_MAX = 60_000;

/** What the member does to a client's stream of watches by itself. */
export interface OpenWatchStream {
  /** Some of its watches want to hear of progress from time to time. */
  readonly wantsProgress: boolean;
  notifyProgress(): void;
  /** Users or their rights are others than before: ends what is not allowed any more. */
  recheck(): void;
}

export interface WatchStreamsHost {
  nowMs(): number;
  setTimer(callback: () => void, ms: number): void;
  readonly prng: Prng;
  /** Between notices of progress on a stream where nothing else happens. */
  readonly intervalMs: number;
  termOf(): number;
  header(revision?: number): ResponseHeader;
}

/**
 * The clients' streams of watches at this member, and the clock by which they are told of progress:
 * each at its own time, so that thousands of notices do not come at once. While no stream asks for
 * notices there is no timer, and the member may sleep.
 */
export class WatchStreams {
  readonly #host: WatchStreamsHost;
  readonly #streams = new Set<OpenWatchStream>();
  /** When each stream that wants notices gets its next one. */
  readonly #dueMs = new Map<OpenWatchStream, number>();
  #ticking = false;
  #header: ResponseHeader | null = null;

  constructor(host: WatchStreamsHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** The header of a response: one object for all that tell of the same revision. */
  header(revision = 0): ResponseHeader {
    const known = this.#header;
    const term = this.#host.termOf();
    if (known?.revision === BigInt(revision) && known.raftTerm === BigInt(term)) return known;
    this.#header = this.#host.header(revision);
    return this.#header;
  }

  add(stream: OpenWatchStream): void {
    this.#streams.add(stream);
  }

  /** Its watches are others than before. */
  changed(stream: OpenWatchStream): void {
    if (!stream.wantsProgress) this.#dueMs.delete(stream);
    else if (!this.#dueMs.has(stream)) this.#dueMs.set(stream, this.#nextMs());
    if (this.#dueMs.size > 0) this.#tickLater();
  }

  delete(stream: OpenWatchStream): void {
    this.#streams.delete(stream);
    this.#dueMs.delete(stream);
  }

  /** Users, roles or permissions have changed. */
  recheck(): void {
    for (const stream of [...this.#streams]) stream.recheck();
  }

  /** etcd's jitter: up to a tenth more. */
  #nextMs(): number {
    const { intervalMs, prng } = this.#host;
    return this.#host.nowMs() + intervalMs + (prng.next() * intervalMs) / 10;
  }

  #tickLater(): void {
    if (this.#ticking) return;
    this.#ticking = true;
    const tickMs = Math.ceil(this.#host.intervalMs / limits.watchProgressTicks);
    // Timers of more than 24 days would ring at once.
    const periodMs = Math.min(tickMs, TICK_MS_MAX);
    this.#host.setTimer(() => this.#tick(), periodMs);
  }

  #tick(): void {
    this.#ticking = false;
    const nowMs = this.#host.nowMs();
    for (const [stream, dueMs] of [...this.#dueMs]) {
      if (dueMs > nowMs) continue;
      this.#dueMs.set(stream, this.#nextMs());
      stream.notifyProgress();
    }
    if (this.#dueMs.size > 0) this.#tickLater();
  }
}
