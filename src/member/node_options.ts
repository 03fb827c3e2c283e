import { limits } from '../config.ts';
import type { Prng } from '../lib/prng.ts';
import type { MemberId } from '../raft/message.ts';
import type { RaftOptions } from '../raft/options.ts';
import type { SoftState } from '../raft/output.ts';
import type { RaftStatus } from '../raft/raft.ts';
import type { MemberInfo } from '../state/member.ts';
import type { ApplyResult } from '../state/result.ts';
import type { Surroundings } from '../state/surroundings.ts';
import type { CheckpointPolicy } from './checkpoints.ts';
import type { ProposalStatus } from './proposals.ts';
import type { ReadStatus } from './reads.ts';

export interface NodeOptions extends CheckpointPolicy {
  readonly memberId: MemberId;
  /**
   * Who founds the cluster, in which order does not matter; used only when the database is empty.
   * None: the member joins a cluster that exists, and waits for its leader.
   */
  readonly initialMembers: readonly MemberInfo[];
  readonly heartbeatIntervalMs: number;
  readonly electionTimeoutMs: number;
  readonly quiesceAfterMs: number;
  readonly prng: Prng;
  /** Called for each applied command, in order: watches, leases, metrics. */
  readonly onApplied?: (result: ApplyResult) => void;
  /** A leader's snapshot has taken the place of the state: revisions were skipped. */
  readonly onRestored?: () => void;
  /** A turn that applied something took so long: for metrics. */
  readonly onTurnApplied?: (ms: number) => void;
  /** The members, or what is known of them, may be others. */
  readonly onMembers?: () => void;
  readonly onSoftState?: (state: SoftState) => void;
  /** Whether clients watch at this member. */
  readonly isAttended?: () => boolean;
  /** What the state machine is told of the member. */
  readonly surroundings?: Surroundings;
  /** Test only: see raft/bugs.ts and state/bugs.ts. */
  readonly bugs?: ReadonlySet<string>;
}

export interface NodeStatus extends ProposalStatus, ReadStatus {
  readonly raft: RaftStatus;
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
    thriftDelayMs: limits.thriftDelayMs,
    thriftBatchMax: limits.thriftBatchMax,
    appendBytesMax: limits.appendBytesMax,
    inflightAppendsMax: limits.inflightAppendsMax,
    uncommittedBytesMax: limits.uncommittedBytesMax,
    applyBytesMax: limits.applyBytesMax,
    cacheBytesMax: limits.logCacheBytesMax,
    ...(options.bugs ? { bugs: options.bugs } : {}),
  };
}
