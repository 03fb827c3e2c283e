/**
 * Every re-introduced bug breaks a rule that the core keeps without it: each scenario runs twice,
 * and says whether the rule held.
 */
import { describe, expect, test } from 'vitest';
import { InvariantError } from '../lib/assert.ts';
import { BUGS, type BugName } from './bugs.ts';
import { encodeConfChange } from './confchange.ts';
import type { Input } from './input.ts';
import { type ChangeType, votersOnly } from './membership.ts';
import { EntryKind, type MemberId } from './message.ts';
import { entry, HEARTBEAT_MS } from './testing.ts';
import {
  append,
  appendReply,
  B,
  C,
  installSnapshot,
  logOfTerms,
  ME,
  ofType,
  Solo,
  type SoloStart,
  voteRequest,
} from './testing_solo.ts';

type Bugs = ReadonlySet<string>;

/** Answers whether the rule held. */
type Scenario = (bugs: Bugs) => boolean;

function follower(bugs: Bugs, start: SoloStart = {}): Solo {
  return new Solo({ ...start, options: { bugs } });
}

function leader(bugs: Bugs, start: SoloStart = {}): Solo {
  return Solo.leader({ ...start, options: { bugs } });
}

/** A leader that has committed its first entry. */
function settledLeader(bugs: Bugs): Solo {
  const solo = leader(bugs);
  solo.settle(B, C);
  return solo;
}

function proposeChange(type: ChangeType, id: MemberId): Input {
  const data = encodeConfChange({ transition: 'auto', changes: [{ type, id }] });
  return { type: 'propose', proposals: [{ kind: EntryKind.confChange, data }] };
}

function readRound(solo: Solo): number {
  solo.sent();
  solo.member.step({ type: 'read', id: 1 });
  return ofType('append', solo.sent())[0]?.round ?? 0;
}

const SCENARIOS: Record<BugName, Scenario> = {
  'commit-earlier-term-by-counting': (bugs) => {
    // Figure 3.7: a majority holds entry 2 of term 2, but no entry of the leader's own term yet.
    const solo = leader(bugs, { log: logOfTerms(1, 2) });
    solo.receive(appendReply({ from: B, term: 3, index: 2 }));
    return solo.status.commit === 0;
  },

  'leader-counts-unpersisted': (bugs) => {
    const solo = follower(bugs, { confState: votersOnly([ME]) });
    solo.wait(0);
    solo.member.autoPersist = false;
    solo.member.propose('a');
    const told = solo.member.appliedTexts.includes('a');
    solo.member.restart();
    return !told || solo.status.lastIndex === 2;
  },

  'ack-before-persist': (bugs) => {
    const solo = follower(bugs);
    solo.member.autoPersist = false;
    const acked = ofType('appendReply', solo.receive(append({ entries: logOfTerms(1) })));
    solo.member.restart();
    return solo.status.lastIndex >= Math.max(0, ...acked.map(({ index }) => index));
  },

  'vote-before-persist': (bugs) => {
    const solo = follower(bugs);
    solo.member.autoPersist = false;
    const votes = ofType('voteReply', solo.receive(voteRequest({ from: B, term: 1 })));
    solo.member.restart();
    solo.member.autoPersist = true;
    votes.push(...ofType('voteReply', solo.receive(voteRequest({ from: C, term: 1 }))));
    return votes.filter(({ granted }) => granted).length <= 1;
  },

  'vote-twice-in-term': (bugs) => {
    const solo = follower(bugs);
    const votes = [B, C].map((from) => solo.ask(voteRequest({ from, term: 1 })));
    return votes.filter((vote) => vote.type === 'voteReply' && vote.granted).length === 1;
  },

  'pre-vote-counts-as-vote': (bugs) => {
    const solo = follower(bugs);
    solo.member.step({ type: 'campaign' });
    // The second promise comes when the first has made us stand already.
    solo.grant(true);
    return solo.status.role === 'candidate';
  },

  'pre-vote-changes-term': (bugs) => {
    const solo = follower(bugs);
    solo.receive(voteRequest({ from: B, term: 5, pre: true }));
    return solo.status.term === 0;
  },

  'vote-ignores-log': (bugs) => {
    const solo = follower(bugs, { log: logOfTerms(1, 1) });
    const [vote] = ofType(
      'voteReply',
      solo.receive(voteRequest({ term: 2, lastIndex: 1, lastTerm: 1 })),
    );
    return vote?.granted === false;
  },

  'read-without-round': (bugs) => {
    const solo = settledLeader(bugs);
    solo.member.step({ type: 'read', id: 1 });
    return !solo.member.reads.has(1);
  },

  'read-before-own-term-commit': (bugs) => {
    // Entry 1 may have been committed by the leader of term 1; this one does not know yet.
    const solo = leader(bugs, { log: logOfTerms(1) });
    const round = readRound(solo) || ofType('append', solo.wait(HEARTBEAT_MS))[0]?.round || 0;
    solo.receive(appendReply({ from: B, term: 2, index: 1, round }));
    return !solo.member.reads.has(1);
  },

  'read-confirmed-by-old-round': (bugs) => {
    const solo = settledLeader(bugs);
    const [heartbeat] = ofType('append', solo.wait(HEARTBEAT_MS));
    readRound(solo);
    solo.receive(appendReply({ from: B, index: 1, round: heartbeat?.round ?? 0 }));
    return !solo.member.reads.has(1);
  },

  'epoch-ignored': (bugs) => {
    const solo = settledLeader(bugs);
    solo.member.propose('a');
    solo.receive(appendReply({ from: B, epoch: 2, index: 1 }));
    // The superseded instance of B acknowledges what the present one does not have.
    solo.receive(appendReply({ from: B, epoch: 1, index: 2 }));
    return solo.status.commit === 1;
  },

  'append-skips-conflict-check': (bugs) => {
    const solo = follower(bugs, { log: logOfTerms(1, 1, 1), term: 3 });
    const message = append({ term: 3, prevIndex: 2, prevTerm: 2, entries: [entry(3, 3)] });
    const [answer] = ofType('appendReply', solo.receive(message));
    return answer?.accepted === false;
  },

  'persisted-aba': (bugs) => {
    const solo = settledLeader(bugs);
    solo.member.autoPersist = false;
    const written = solo.member.propose('of term 1').persist?.sequence ?? 0;
    solo.receive(append({ term: 2, prevIndex: 1, prevTerm: 1, entries: [entry(2, 2)] }));
    // The entry of term 2 is still on its way to disk when the one it replaced is confirmed.
    solo.member.confirm(written);
    return solo.status.durableIndex === 1;
  },

  'truncate-committed': (bugs) => {
    const solo = follower(bugs, { log: logOfTerms(1, 1, 1) });
    solo.receive(append({ prevIndex: 1, prevTerm: 1, entries: [entry(2, 1, '2@1')] }));
    return solo.status.lastIndex === 3;
  },

  'install-stale-snapshot': (bugs) => {
    const solo = follower(bugs, { log: logOfTerms(1, 1, 1), commit: 3 });
    solo.receive(append());
    solo.receive(installSnapshot(2, 1));
    return solo.status.commit === 3;
  },

  'step-down-missing': (bugs) => {
    const solo = settledLeader(bugs);
    solo.receive(appendReply({ from: B, term: 5, accepted: false }));
    return solo.status.role === 'follower';
  },

  'commit-beyond-match': (bugs) => {
    // The follower's third entry is not the leader's, who has compared up to the second only.
    const solo = follower(bugs, { log: logOfTerms(1, 1, 1), term: 2 });
    solo.receive(append({ term: 2, prevIndex: 2, prevTerm: 1, commit: 3 }));
    return solo.status.commit === 2;
  },

  'conf-change-while-pending': (bugs) => {
    const solo = settledLeader(bugs);
    solo.member.step(proposeChange('remove', B));
    solo.member.step(proposeChange('remove', C));
    return solo.status.lastIndex === 2;
  },

  'conf-change-before-own-term-commit': (bugs) => {
    const solo = leader(bugs);
    solo.member.step(proposeChange('remove', B));
    return solo.status.lastIndex === 1;
  },

  'removed-leader-counts-itself': (bugs) => {
    const solo = settledLeader(bugs);
    solo.member.step(proposeChange('remove', ME));
    solo.member.propose('a');
    solo.receive(appendReply({ from: B, index: 2 }));
    // Of B and C, who are left, one has the last entry.
    solo.receive(appendReply({ from: B, index: 3 }));
    return solo.status.commit === 2;
  },

  'learner-counts-as-voter': (bugs) => {
    const solo = leader(bugs, { confState: { ...votersOnly([ME, B]), learners: [C] } });
    solo.settle(B);
    solo.member.propose('a');
    solo.receive(appendReply({ from: C, index: 2 }));
    return solo.status.commit === 1;
  },
};

function holds(scenario: Scenario, bugs: Bugs): boolean {
  try {
    return scenario(bugs);
  } catch (error) {
    if (error instanceof InvariantError) return false; // The core noticed by itself.
    throw error;
  }
}

describe.each(Object.keys(BUGS) as BugName[])('%s', (bug) => {
  test('breaks its rule', () => {
    expect(holds(SCENARIOS[bug], new Set([bug]))).toBe(false);
  });

  test('is what breaks it', () => {
    expect(SCENARIOS[bug](new Set())).toBe(true);
  });
});
