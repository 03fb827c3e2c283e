import type { Prng } from '../lib/prng.ts';
import type { MemberId } from './message.ts';

/**
 * How one member's core behaves. All times are in milliseconds of the clock that is passed to
 * `step`.
 */
export interface RaftOptions {
  readonly id: MemberId;
  readonly prng: Prng;
  readonly heartbeatIntervalMs: number;
  /**
   * An election starts between one and two of these after the last sign of a leader (thesis §3.4).
   */
  readonly electionTimeoutMs: number;
  /** Entries' bytes in one append. */
  readonly appendBytesMax: number;
  /** Appends in flight to one peer. */
  readonly inflightAppendsMax: number;
  /** Entries not yet committed that a leader takes before it drops proposals, in bytes. */
  readonly uncommittedBytesMax: number;
  /** Committed entries handed out per step, in bytes. */
  readonly applyBytesMax: number;
  /** Recent entries kept in memory, in bytes; older ones are read back through `LogReader`. */
  readonly cacheBytesMax: number;
  /**
   * How long a peer may not know of a commit that no entries carry to it; 0 (the default): told at
   * once. Where clients proposed it or watch it is told at once in any case (thrift.ts). Under load
   * the next append carries the index, and a message of its own for each commit would double the
   * traffic.
   */
  readonly commitDelayMs?: number;
  /**
   * How long a quorum may take before the peers that it does not need are sent what it was; 0 (the
   * default): they are not spared anything. See thrift.ts.
   */
  readonly thriftDelayMs?: number;
  /** Nobody is spared entries of which more than these come at once. Default: no limit. */
  readonly thriftBatchMax?: number;
  /** Silence after so long without work; 0: never. */
  readonly quiesceAfterMs: number;
  /** Test only: re-introduced historic bugs, to prove that the checkers find them. */
  readonly bugs?: ReadonlySet<string>;
}
