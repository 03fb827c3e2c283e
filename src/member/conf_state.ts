import { isJoint } from '../raft/membership.ts';
import type { ConfState } from '../raft/message.ts';
import type { MemberInfo } from '../state/member.ts';
import { idOfNumber } from './identity.ts';

/** The core's configuration, from the members that the state machine knows: the one truth. */
export function confStateOf(members: readonly MemberInfo[]): ConfState {
  const ids = (learners: boolean) =>
    members.filter(({ isLearner }) => isLearner === learners).map(({ id }) => idOfNumber(id));
  return {
    voters: ids(false).sort(),
    votersOutgoing: [],
    learners: ids(true).sort(),
    learnersNext: [],
    autoLeave: false,
  };
}

/** Whether the core counts exactly the members that the state machine knows. */
export function agrees(conf: ConfState, members: readonly MemberInfo[]): boolean {
  const { voters, learners } = confStateOf(members);
  if (isJoint(conf)) return false;
  return conf.voters.join() === voters.join() && conf.learners.join() === learners.join();
}
