import type { ConfState, MemberId } from '../../../src/raft/message.ts';

/** Whether more than half of the members are among those that `has` names. */
export function isMajority(members: readonly MemberId[], has: (id: MemberId) => boolean): boolean {
  return members.filter(has).length * 2 > members.length;
}

/**
 * Whether they are enough to decide for the configuration: a majority of each half while it is
 * joint. Written apart from src/raft/quorum.ts, which it judges.
 */
export function isQuorum(
  { voters, votersOutgoing }: ConfState,
  has: (id: MemberId) => boolean,
): boolean {
  return (
    isMajority(voters, has) && (votersOutgoing.length === 0 || isMajority(votersOutgoing, has))
  );
}
