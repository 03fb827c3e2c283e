import { describe, expect, it } from 'vitest';
import type { MemberInfo, Membership } from '../state/member.ts';
import { Belonging, type BelongingHost } from './belonging.ts';
import { type ClusterIdentity, idOfNumber } from './identity.ts';

const SELF = 4n;

const memberOf = (id: bigint, isLearner: boolean): MemberInfo => ({
  id,
  name: `m${id}`,
  clientUrls: [],
  peerUrls: [`do://m${id}`],
  isLearner,
});

/** What m4 is for itself: as it came, and after it has applied each of these memberships. */
function lifeOf(came: Partial<ClusterIdentity>, applied: readonly (readonly MemberInfo[])[]) {
  let membership: Membership = { all: [], confIndex: 0, isRemoved: () => false };
  const node = () => ({ machine: { membership }, soft: { leader: null } });
  const members = [{ id: idOfNumber(SELF), name: 'm4', url: 'do://m4' }];
  const identity = { clusterId: 'c', memberId: idOfNumber(SELF), members, ...came };
  const host = { identity, peering: null, node, settings: { addresses: [] } };
  const belonging = new Belonging(host as unknown as BelongingHost);
  const now = () => ({ isLearner: belonging.isLearner, votes: belonging.votes });
  const life = [now()];
  for (const [index, all] of applied.entries()) {
    membership = { all, confIndex: index + 1, isRemoved: () => false };
    belonging.membersChanged();
    life.push(now());
  }
  return life;
}

const NEITHER = { isLearner: false, votes: false };
const LEARNER = { isLearner: true, votes: false };
const VOTER = { isLearner: false, votes: true };

describe('what a member is for itself', () => {
  const others = [memberOf(1n, false)];

  it('one that was added as a learner is that before it has applied so, until its promotion', () => {
    const life = lifeOf({ arrived: true, learner: true }, [
      others,
      [...others, memberOf(SELF, true)],
      [...others, memberOf(SELF, false)],
    ]);
    expect(life).toEqual([LEARNER, LEARNER, LEARNER, VOTER]);
  });

  it('one that was added as a voter is no learner at any time, and votes when it knows', () => {
    const life = lifeOf({ arrived: true }, [others, [...others, memberOf(SELF, false)]]);
    expect(life).toEqual([NEITHER, NEITHER, VOTER]);
  });

  it('a founder votes from the first', () => {
    expect(lifeOf({}, [])).toEqual([VOTER]);
  });
});
