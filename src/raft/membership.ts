/**
 * The algebra of configurations: what a change makes of a ConfState. Pure; knows nothing of logs or
 * leaders. Thesis chapter 4; learners and their demotion in a joint phase follow etcd-io/raft.
 */
import type { ConfState, MemberId } from './message.ts';

export type ChangeType = 'addVoter' | 'addLearner' | 'remove';

/** One step of a change. A voter that is to become a learner is 'addLearner'. */
export interface MemberChange {
  readonly type: ChangeType;
  readonly id: MemberId;
}

/**
 * How to get there. 'auto': in one step when only one voter is concerned, else through a joint
 * phase that the leader leaves by itself. 'jointExplicit': the operator proposes the exit.
 */
export type Transition = 'auto' | 'jointImplicit' | 'jointExplicit';

/** A change as proposed. No changes and 'auto': leave the joint phase. */
export interface ConfChange {
  readonly transition: Transition;
  readonly changes: readonly MemberChange[];
}

/**
 * The change does not fit the configuration. A committed one is then void, the same on every
 * member.
 */
export class ConfChangeError extends Error {
  override readonly name = 'ConfChangeError';
}

/** A configuration of voters only, as a new cluster has. */
export function votersOnly(voters: readonly MemberId[]): ConfState {
  return {
    voters: [...voters].sort(),
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };
}

export function isJoint(config: ConfState): boolean {
  return config.votersOutgoing.length > 0;
}

export function isVoter(config: ConfState, id: MemberId): boolean {
  return config.voters.includes(id) || config.votersOutgoing.includes(id);
}

/** Everyone who is sent the log, in id order. */
export function membersOf(config: ConfState): readonly MemberId[] {
  const { voters, votersOutgoing, learners, learnersNext } = config;
  return [...new Set([...voters, ...votersOutgoing, ...learners, ...learnersNext])].sort();
}

/** Whether a change may be made in one step: at most one, unless a joint phase is asked for. */
export function isSimple(change: ConfChange): boolean {
  return change.transition === 'auto' && change.changes.length <= 1;
}

/** The proposal that ends a joint phase. */
export function isLeaveJoint(change: ConfChange): boolean {
  return change.transition === 'auto' && change.changes.length === 0;
}

/** The configuration after a change. @throws ConfChangeError when it does not fit */
export function changeConf(config: ConfState, change: ConfChange): ConfState {
  if (isLeaveJoint(change)) return leaveJoint(config);
  if (isSimple(change)) return simpleChange(config, change.changes);
  return enterJoint(config, change.changes, change.transition !== 'jointExplicit');
}

/**
 * One step. At most one voter may be added or removed, because only then does every majority before
 * meet every majority after (thesis §4.1).
 */
export function simpleChange(config: ConfState, changes: readonly MemberChange[]): ConfState {
  refuseIf(isJoint(config), 'a simple change is not possible in a joint configuration');
  const next = withChanges(config, changes);
  const difference = symmetricDifference(config.voters, next.voters);
  refuseIf(difference > 1, 'more than one voter changed without entering a joint configuration');
  return next;
}

/** Both the old and the new majority are needed until the joint phase is left (thesis §4.3). */
export function enterJoint(
  config: ConfState,
  changes: readonly MemberChange[],
  autoLeave: boolean,
): ConfState {
  refuseIf(isJoint(config), 'the configuration is already joint');
  refuseIf(config.voters.length === 0, 'a configuration without voters cannot be made joint');
  const joint = { ...config, votersOutgoing: config.voters };
  return { ...withChanges(joint, changes), autoLeave };
}

/** The outgoing half is gone; demoted voters become learners now. */
export function leaveJoint(config: ConfState): ConfState {
  refuseIf(!isJoint(config), 'the configuration is not joint');
  return {
    voters: config.voters,
    votersOutgoing: [],
    learners: sorted([...config.learners, ...config.learnersNext]),
    learnersNext: [],
    autoLeave: false,
  };
}

/** Why a configuration is not well formed, or null. Asserted wherever one is taken over. */
export function confStateFault(config: ConfState): string | null {
  const { voters, votersOutgoing, learners, learnersNext } = config;
  const lists = [voters, votersOutgoing, learners, learnersNext];
  if (lists.some((list) => new Set(list).size !== list.length)) return 'a member is listed twice';
  if (learners.some((id) => isVoter(config, id))) return 'a learner is a voter';
  if (learnersNext.some((id) => !votersOutgoing.includes(id)))
    return 'a learner-to-be is not an outgoing voter';
  if (learnersNext.some((id) => voters.includes(id) || learners.includes(id)))
    return 'a learner-to-be has another part as well';
  if (!isJoint(config) && config.autoLeave) return 'autoLeave outside a joint configuration';
  return null;
}

interface Draft {
  readonly voters: Set<MemberId>;
  readonly learners: Set<MemberId>;
  readonly learnersNext: Set<MemberId>;
  readonly outgoing: ReadonlySet<MemberId>;
}

function withChanges(config: ConfState, changes: readonly MemberChange[]): ConfState {
  const draft: Draft = {
    voters: new Set(config.voters),
    learners: new Set(config.learners),
    learnersNext: new Set(config.learnersNext),
    outgoing: new Set(config.votersOutgoing),
  };
  for (const change of changes) applyChange(draft, change);
  refuseIf(draft.voters.size === 0, 'the change removes every voter');
  return {
    voters: sorted(draft.voters),
    votersOutgoing: config.votersOutgoing,
    learners: sorted(draft.learners),
    learnersNext: sorted(draft.learnersNext),
    autoLeave: config.autoLeave,
  };
}

function applyChange(draft: Draft, { type, id }: MemberChange): void {
  if (type === 'addLearner' && (draft.learners.has(id) || draft.learnersNext.has(id))) return;
  draft.voters.delete(id);
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
  if (type === 'addVoter') draft.voters.add(id);
  // A voter of the outgoing half keeps its vote until the joint phase ends; a member cannot be
  // voter and learner at once, so its new part waits in learnersNext.
  if (type === 'addLearner') (draft.outgoing.has(id) ? draft.learnersNext : draft.learners).add(id);
}

function symmetricDifference(a: readonly MemberId[], b: readonly MemberId[]): number {
  const gone = a.filter((id) => !b.includes(id)).length;
  return gone + b.filter((id) => !a.includes(id)).length;
}

function sorted(ids: Iterable<MemberId>): readonly MemberId[] {
  return [...ids].sort();
}

function refuseIf(condition: boolean, message: string): void {
  if (condition) throw new ConfChangeError(message);
}
