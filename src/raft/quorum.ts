import type { ConfState, MemberId } from './message.ts';

/** How a poll stands. 'pending': the missing answers decide. */
export type VoteResult = 'won' | 'lost' | 'pending';

/** The two halves of a configuration; `votersOutgoing` is empty outside a joint phase. */
export type Voters = Pick<ConfState, 'voters' | 'votersOutgoing'>;

/** The size of a majority of so many voters. */
export function majoritySize(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/**
 * The largest value that a majority has reached, given what each voter has reached: the commit rule
 * over match indices, and equally the newest confirmed round, or the time of last contact with a
 * majority. An empty half agrees to everything, so that it drops out of the joint minimum.
 */
export function majorityReached(
  voters: readonly MemberId[],
  reached: (id: MemberId) => number,
): number {
  if (voters.length <= 3) return fewReached(voters, reached);
  const sorted = voters.map(reached).sort((a, b) => a - b);
  return sorted[voters.length - majoritySize(voters.length)] as number;
}

/** Of up to three voters, as groups mostly are: each step counts several times. */
function fewReached(
  [first, second, third]: readonly MemberId[],
  reached: (id: MemberId) => number,
): number {
  if (first === undefined) return Number.POSITIVE_INFINITY;
  if (second === undefined) return reached(first);
  const [a, b] = [reached(first), reached(second)];
  if (third === undefined) return Math.min(a, b);
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), reached(third)));
}

/**
 * The same for a configuration that may be joint: both halves must have reached it (thesis §4.3).
 */
export function quorumReached(config: Voters, reached: (id: MemberId) => number): number {
  return Math.min(
    majorityReached(config.voters, reached),
    majorityReached(config.votersOutgoing, reached),
  );
}

/** How a poll of one half stands; `vote` answers undefined while a voter has not spoken. */
export function majorityVote(
  voters: readonly MemberId[],
  vote: (id: MemberId) => boolean | undefined,
): VoteResult {
  if (voters.length === 0) return 'won';
  const majority = majoritySize(voters.length);
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const answer = vote(id);
    if (answer === undefined) missing++;
    else if (answer) granted++;
  }
  if (granted >= majority) return 'won';
  return granted + missing >= majority ? 'pending' : 'lost';
}

/** How a poll stands in a configuration that may be joint: lost in one half is lost. */
export function quorumVote(
  config: Voters,
  vote: (id: MemberId) => boolean | undefined,
): VoteResult {
  const incoming = majorityVote(config.voters, vote);
  const outgoing = majorityVote(config.votersOutgoing, vote);
  if (incoming === 'lost' || outgoing === 'lost') return 'lost';
  return incoming === 'won' && outgoing === 'won' ? 'won' : 'pending';
}
