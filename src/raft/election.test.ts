import { describe, expect, test } from 'vitest';
import { votersOnly } from './membership.ts';
import { ELECTION_MS, memberId, TestNetwork } from './testing.ts';
import {
  append,
  appendReply,
  B,
  C,
  D,
  installSnapshot,
  logOfTerms,
  ME,
  ofType,
  Solo,
  voteReply,
  voteRequest,
} from './testing_solo.ts';

describe('terms (thesis §3.3)', () => {
  test.each(['append', 'appendReply', 'voteReply', 'vote', 'snapshot'] as const)(
    'a higher term in %s makes a leader follow',
    (type) => {
      const solo = Solo.leader();
      const term = 5;
      const message = {
        append: append({ term }),
        appendReply: appendReply({ term, accepted: false }),
        voteReply: voteReply({ term, granted: false }),
        vote: voteRequest({ term, transfer: true }),
        snapshot: installSnapshot(9, 5, { term }),
      }[type];
      solo.receive(message);
      expect([solo.status.role, solo.status.term]).toEqual(['follower', 5]);
    },
  );

  test('a candidate follows a leader of its own term', () => {
    const solo = new Solo();
    solo.member.step({ type: 'campaign' });
    solo.grant(true);
    expect(solo.status.role).toBe('candidate');
    solo.receive(append({ from: C, term: 1 }));
    expect([solo.status.role, solo.status.leader]).toEqual(['follower', C]);
  });

  test('a leader of an earlier term is told of ours, in an answer that confirms nothing', () => {
    const solo = new Solo({ term: 4 });
    for (const message of [append({ term: 3, round: 77 }), installSnapshot(9, 3, { term: 3 })]) {
      expect(solo.ask(message)).toMatchObject({ type: 'appendReply', term: 4, accepted: false });
    }
    expect(solo.ask(append({ term: 3, round: 77 }))).toMatchObject({ round: 0 });
    expect(solo.status.leader).toBeNull();
  });

  test.each([true, false])('a candidate of an earlier term is told of ours (pre: %s)', (pre) => {
    const solo = new Solo({ term: 4 });
    const answer = solo.ask(voteRequest({ term: 3, pre }));
    expect(answer).toMatchObject({ type: 'voteReply', pre, granted: false, term: 4 });
  });

  test('two leaders of one term stop the member (E1)', () => {
    const solo = new Solo({ term: 1 });
    solo.receive(append({ from: B }));
    expect(() => solo.receive(append({ from: C }))).toThrow(/two leaders/);
  });
});

describe('votes (thesis §3.4, §3.6.1)', () => {
  test('one in a term, first come, first served', () => {
    const solo = new Solo({ term: 1 });
    expect(solo.ask(voteRequest({ from: B, term: 2 }))).toMatchObject({ granted: true });
    expect(solo.ask(voteRequest({ from: C, term: 2 }))).toMatchObject({ granted: false });
    expect(solo.ask(voteRequest({ from: B, term: 2 }))).toMatchObject({ granted: true });
    expect(solo.ask(voteRequest({ from: C, term: 3 }))).toMatchObject({ granted: true });
  });

  test('survives a restart (E2)', () => {
    const solo = new Solo({ term: 2, vote: B });
    expect(solo.ask(voteRequest({ from: C, term: 2 }))).toMatchObject({ granted: false });
    expect(solo.ask(voteRequest({ from: B, term: 2 }))).toMatchObject({ granted: true });
  });

  test.each([
    [3, 2, true],
    [2, 2, true],
    [1, 2, false],
    [9, 1, false],
    [1, 3, true],
  ])('for a log ending at %i@%i against our 2@2: %s', (lastIndex, lastTerm, granted) => {
    for (const pre of [true, false]) {
      const solo = new Solo({ log: logOfTerms(1, 2) });
      const request = voteRequest({ term: 3, lastIndex, lastTerm, pre });
      expect(solo.ask(request)).toMatchObject({ granted });
    }
  });

  test('are given by learners too: they may be voters without knowing', () => {
    const confState = { ...votersOnly([B, C]), learners: [ME] };
    const solo = new Solo({ confState });
    expect(solo.ask(voteRequest({ term: 1 }))).toMatchObject({ granted: true });
  });

  test('are given only after they are durable', () => {
    const solo = new Solo();
    solo.member.autoPersist = false;
    expect(solo.receive(voteRequest({ term: 1 }))).toEqual([]);
    expect(solo.lastOutput.persist?.hardState).toEqual({ term: 1, vote: B });
    solo.member.confirm();
    expect(solo.sent()).toMatchObject([{ type: 'voteReply', granted: true }]);
  });
});

describe('a candidacy', () => {
  test('asks all voters, of both halves, and no learner', () => {
    const confState = { ...votersOnly([ME, B]), votersOutgoing: [ME, C], learners: [D] };
    const solo = new Solo({ confState, log: logOfTerms(1, 2) });
    solo.member.step({ type: 'campaign' });
    const asked = ofType('vote', solo.sent());
    expect(asked.map(({ to }) => to)).toEqual([B, C]);
    expect(asked[0]).toMatchObject({ pre: true, term: 3, lastIndex: 2, lastTerm: 2 });
    expect(solo.status).toMatchObject({ role: 'preCandidate', term: 2 });
  });

  test('stands only after the pre-vote, and asks only when term and vote are durable', () => {
    const solo = new Solo();
    solo.member.autoPersist = false;
    solo.member.step({ type: 'campaign' });
    solo.grant(true);
    expect(solo.status).toMatchObject({ role: 'candidate', term: 1, vote: ME });
    expect(solo.sent()).toEqual([]);
    solo.member.confirm();
    expect(solo.sent()).toMatchObject([{ type: 'vote', pre: false }, { type: 'vote' }]);
  });

  test('is not won by the others before our own vote is durable', () => {
    const solo = new Solo();
    solo.member.autoPersist = false;
    solo.member.step({ type: 'campaign' });
    solo.grant(true);
    solo.receive(voteReply({ from: B }), voteReply({ from: C }));
    expect(solo.status.role).toBe('candidate');
    solo.member.confirm();
    expect(solo.status.role).toBe('leader');
  });

  test('counts only votes of its term and kind, once each (E4)', () => {
    const confState = votersOnly([ME, B, C, D, memberId(5)]);
    const solo = new Solo({ confState, term: 1 });
    solo.member.step({ type: 'campaign' });
    solo.grant(true);
    solo.receive(
      voteReply({ from: B, term: 2 }),
      voteReply({ from: B, term: 2 }),
      voteReply({ from: C, term: 1 }),
      voteReply({ from: D, term: 3, pre: true }),
      voteReply({ from: memberId(9), term: 2 }),
    );
    expect(solo.status.role).toBe('candidate');
    solo.receive(voteReply({ from: C, term: 2 }));
    expect(solo.status.role).toBe('leader');
  });

  test('needs both halves of a joint configuration', () => {
    const confState = { ...votersOnly([ME, B]), votersOutgoing: [ME, C, D] };
    const solo = new Solo({ confState });
    solo.member.step({ type: 'campaign' });
    solo.grant(true);
    solo.receive(voteReply({ from: B }));
    expect(solo.status.role).toBe('candidate');
    solo.receive(voteReply({ from: C }));
    expect(solo.status.role).toBe('leader');
  });

  test('that is lost ends at once; the next attempt waits for its own timeout', () => {
    const solo = new Solo();
    solo.member.step({ type: 'campaign' });
    solo.grant(true);
    const due = solo.member.deadlineMs;
    solo.receive(voteReply({ from: B, granted: false }), voteReply({ from: C, granted: false }));
    expect([solo.status.role, solo.member.deadlineMs]).toEqual(['follower', due]);
  });

  test('draws a new timeout in [T, 2T) for each attempt', () => {
    const solo = new Solo();
    const waits = new Set<number>();
    for (let i = 0; i < 50; i++) {
      const due = solo.member.deadlineMs ?? 0;
      const before = solo.network.nowMs;
      solo.wait(Math.max(0, due - before));
      const waitMs = (solo.member.deadlineMs ?? 0) - solo.network.nowMs;
      expect(waitMs).toBeGreaterThanOrEqual(ELECTION_MS);
      expect(waitMs).toBeLessThan(2 * ELECTION_MS);
      waits.add(waitMs);
    }
    expect(waits.size).toBeGreaterThan(20);
  });

  test('is not made by learners and strangers', () => {
    for (const learners of [[ME], []]) {
      const solo = new Solo({ confState: { ...votersOnly([B, C]), learners } });
      expect(solo.wait(10 * ELECTION_MS)).toEqual([]);
      solo.member.step({ type: 'campaign' });
      expect(solo.status.role).toBe('follower');
      expect(solo.member.deadlineMs).toBeNull();
    }
  });

  test('waits until committed changes of configuration are handed out', () => {
    const options = { applyBytesMax: 1 };
    const solo = new Solo({ log: logOfTerms(1, 1, 1), commit: 3, options });
    const output = solo.member.raft.step([{ type: 'campaign' }], 0);
    expect([solo.status.role, output.more]).toEqual(['follower', true]);
  });
});

describe('pre-vote (thesis §9.6)', () => {
  test('changes nothing durable (E5)', () => {
    const solo = new Solo({ term: 1 });
    expect(solo.ask(voteRequest({ pre: true, term: 9 }))).toMatchObject({ granted: true, term: 9 });
    expect(solo.member.outputs.every(({ persist }) => persist === null)).toBe(true);
    expect([solo.status.term, solo.status.vote]).toEqual([1, null]);
    expect(solo.ask(voteRequest({ from: C, pre: true, term: 9 }))).toMatchObject({ granted: true });
  });

  test('is refused while a leader is heard, and granted an election timeout later', () => {
    const solo = new Solo({ term: 1 });
    const request = voteRequest({ from: C, pre: true, term: 2 });
    solo.receive(append());
    solo.network.nowMs += ELECTION_MS - 1;
    expect(solo.ask(request)).toMatchObject({ granted: false, term: 1 });
    solo.network.nowMs += 1;
    expect(solo.ask(request)).toMatchObject({ granted: true });
  });

  test('by the leader itself is granted: it is a new instance that forgot its leadership', () => {
    const solo = new Solo({ term: 1 });
    solo.receive(append());
    const request = voteRequest({ from: B, pre: true, term: 2, epoch: 2 });
    expect(solo.ask(request)).toMatchObject({ granted: true });
  });

  test('spreads a higher term to those who ask', () => {
    const solo = new Solo({ term: 1 });
    solo.member.step({ type: 'campaign' });
    solo.receive(voteReply({ pre: true, granted: false, term: 7 }));
    expect(solo.status).toMatchObject({ role: 'follower', term: 7 });
  });

  test('a member that was cut off does not disturb when it returns', () => {
    const net = TestNetwork.ofVoters(3);
    net.elect(1);
    net.isolate(3);
    net.advance(20 * ELECTION_MS);
    const { term } = net.member(1).raft.status;
    net.isolate();
    net.advance(5 * ELECTION_MS);
    expect(net.member(1).raft.status).toMatchObject({ role: 'leader', term });
    expect(net.member(3).raft.status.leader).toBe(memberId(1));
  });
});

describe('a live leader', () => {
  test('is protected from candidates, without adopting their term (thesis §4.2.3)', () => {
    const solo = new Solo({ term: 1 });
    solo.receive(append());
    expect(solo.ask(voteRequest({ from: C, term: 9 }))).toMatchObject({ granted: false, term: 1 });
    expect(solo.status).toMatchObject({ term: 1, leader: B });
  });

  test('is not protected from the one it chose itself (thesis §3.10)', () => {
    const solo = new Solo({ term: 1 });
    solo.receive(append());
    const request = voteRequest({ from: C, term: 2, transfer: true });
    expect(solo.ask(request)).toMatchObject({ granted: true, term: 2 });
  });

  test('protects itself', () => {
    const solo = Solo.leader();
    expect(solo.ask(voteRequest({ term: 9 }))).toMatchObject({ granted: false });
    expect(solo.ask(voteRequest({ term: 9, pre: true }))).toMatchObject({ granted: false });
    expect(solo.status.role).toBe('leader');
  });

  test('steps down when no quorum answered for an election timeout (E7)', () => {
    const solo = Solo.leader();
    solo.wait(ELECTION_MS / 2);
    solo.receive(appendReply({ from: B, accepted: true, index: 0 }));
    solo.wait(ELECTION_MS - 1);
    expect(solo.status.role).toBe('leader');
    solo.wait(1);
    expect([solo.status.role, solo.status.leader]).toEqual(['follower', null]);
  });

  test('stays while a minority is silent', () => {
    const net = TestNetwork.ofVoters(5);
    net.elect(1);
    net.isolate(4, 5);
    net.advance(10 * ELECTION_MS);
    expect(net.member(1).raft.status).toMatchObject({ role: 'leader', term: 1 });
  });
});

describe('a group', () => {
  test('replaces a leader that is gone', () => {
    const net = TestNetwork.ofVoters(3);
    net.elect(1);
    net.member(1).down = true;
    net.advance(5 * ELECTION_MS);
    expect(net.leader?.id).not.toBe(memberId(1));
  });

  test('a member that ran ahead in terms is led again', () => {
    const net = TestNetwork.ofVoters(3);
    net.elect(1);
    // Member 3 stood alone once, as after a hand-over whose other half was lost.
    net.isolate(3);
    const timeoutNow = { type: 'timeoutNow' as const, from: memberId(1), to: memberId(3) };
    net.member(3).step({ type: 'message', message: { ...timeoutNow, term: 1, epoch: 1 } });
    expect(net.member(3).raft.status.term).toBe(2);
    net.isolate();
    net.advance(5 * ELECTION_MS);
    expect(net.leader?.raft.status.term).toBeGreaterThanOrEqual(2);
    for (const { raft } of net.members.values()) expect(raft.status.leader).toBe(net.leader?.id);
  });

  test('of two can elect, and cannot without one of them', () => {
    const net = TestNetwork.ofVoters(2);
    net.elect(1);
    net.member(2).down = true;
    net.advance(5 * ELECTION_MS);
    expect(net.leader).toBeNull();
    net.member(2).down = false;
    net.advance(5 * ELECTION_MS);
    expect(net.leader).not.toBeNull();
  });

  test('with a one-way cut has a stable leader among those who hear each other', () => {
    const net = TestNetwork.ofVoters(3);
    net.elect(1);
    // Member 3 hears nobody but is heard.
    net.lose = ({ to }) => to === memberId(3);
    net.advance(20 * ELECTION_MS);
    expect(net.member(1).raft.status).toMatchObject({ role: 'leader', term: 1 });
  });
});

describe('a single voter', () => {
  test('elects itself at its first tick, and leads once its vote is durable', () => {
    const solo = new Solo({ confState: votersOnly([ME]) });
    solo.member.autoPersist = false;
    solo.wait(0);
    expect(solo.status).toMatchObject({ role: 'candidate', term: 1 });
    solo.member.confirm();
    expect(solo.status.role).toBe('leader');
  });

  test('commits only after its own disk has the entry', () => {
    const solo = new Solo({ confState: votersOnly([ME]) });
    solo.wait(0);
    solo.member.autoPersist = false;
    solo.member.propose('a');
    expect(solo.member.appliedTexts).toEqual([]);
    solo.member.confirm();
    expect(solo.member.appliedTexts).toEqual(['a']);
  });

  test('sleeps without timers when nothing is to be done', () => {
    const solo = new Solo({ confState: votersOnly([ME]) });
    solo.wait(0);
    expect(solo.member.deadlineMs).toBeNull();
  });
});
