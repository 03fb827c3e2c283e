import type { ConfState, Entry, MemberId } from '../../../src/raft/message.ts';
import type { Role } from '../../../src/raft/output.ts';
import type { StateMachine } from '../../../src/state/machine.ts';
import type { ApplyResult } from '../../../src/state/result.ts';

/** What the checkers remember of one instance, to see what a step has changed. */
export interface View {
  readonly epoch: number;
  term: number;
  role: Role;
  commit: number;
  applied: number;
  machine: StateMachine;
  /** Commands applied in the step that is under way. */
  results: ApplyResult[];
  /** The index of a snapshot installed in the step that is under way. */
  installed: number | null;
  /** Entries in its log that it has not reported committed. */
  readonly uncommitted: Map<number, Entry>;
  /** By peer, when it was last heard (simulated time). */
  readonly heardUs: Map<MemberId, number>;
  /** Acknowledged match of each peer in this leadership. */
  readonly match: Map<MemberId, number>;
  leaderSinceUs: number;
  /** It led and was silent after the step before. */
  quiescent: boolean;
  /** Its configuration after the step before. */
  confState: ConfState;
}
