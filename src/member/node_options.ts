import { limits } from '../config.ts';
import type { Prng } from '../lib/prng.ts';
import type { ConfState, MemberId } from '../raft/message.ts';
import type { RaftOptions } from '../raft/options.ts';
import type { SoftState } from '../raft/output.ts';
import type { RaftStatus } from '../raft/raft.ts';
import type { ApplyResult } from '../state/result.ts';
import type { CheckpointPolicy } from './checkpoints.ts';

export interface NodeOptions extends CheckpointPolicy {
  readonly memberId: MemberId;
  /**
   * The configuration of a cluster that starts from nothing; used only when the database is empty.
   */
  readonly initialConfState: ConfState;
  readonly heartbeatIntervalMs: number;
  readonly electionTimeoutMs: number;
  readonly quiesceAfterMs: number;
  readonly prng: Prng;
  /** Called for each applied command, in order: watches, leases, metrics. */
  readonly onApplied?: (result: ApplyResult) => void;
  readonly onSoftState?: (state: SoftState) => void;
  /** Test only: see raft/bugs.ts and state/bugs.ts. */
  readonly bugs?: ReadonlySet<string>;
}

export interface NodeStatus {
  readonly raft: RaftStatus;
  readonly pendingProposals: number;
  readonly pendingReads: number;
}

/** The core's options: the member's, and the limits that are the same for all. */
export function raftOptions(options: NodeOptions): RaftOptions {
  return {
    id: options.memberId,
    prng: options.prng,
    heartbeatIntervalMs: options.heartbeatIntervalMs,
    electionTimeoutMs: options.electionTimeoutMs,
    quiesceAfterMs: options.quiesceAfterMs,
    commitDelayMs: limits.commitDelayMs,
    appendBytesMax: limits.appendBytesMax,
    inflightAppendsMax: limits.inflightAppendsMax,
    uncommittedBytesMax: limits.uncommittedBytesMax,
    applyBytesMax: limits.applyBytesMax,
    cacheBytesMax: limits.logCacheBytesMax,
    ...(options.bugs ? { bugs: options.bugs } : {}),
  };
}
