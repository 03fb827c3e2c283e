import { describe, expect, test } from 'vitest';
import { votersOnly } from './membership.ts';
import { ELECTION_MS, HEARTBEAT_MS, memberId, TestNetwork } from './testing.ts';
import { append, B, C, D, ME, ofType, Solo } from './testing_solo.ts';

function settledLeader(confState = votersOnly([ME, B, C])): Solo {
  const solo = Solo.leader({ confState });
  solo.settle(B, C, D);
  return solo;
}

describe('handing leadership over (thesis §3.10)', () => {
  test('reaches the target although the others hear a live leader', () => {
    const net = TestNetwork.ofVoters(3);
    net.elect(1).step({ type: 'transferLeadership', to: memberId(3) });
    net.deliver();
    expect(net.leader?.id).toBe(memberId(3));
    expect(net.leader?.raft.status.term).toBe(2);
  });

  test('can be asked for at any member', () => {
    const net = TestNetwork.ofVoters(3);
    net.elect(1);
    net.member(2).step({ type: 'transferLeadership', to: memberId(3) });
    net.deliver();
    expect(net.leader?.id).toBe(memberId(3));
  });

  test('waits until the target has everything', () => {
    const solo = settledLeader();
    solo.member.propose('a');
    solo.member.step({ type: 'transferLeadership', to: B });
    expect(ofType('timeoutNow', solo.network.queue)).toEqual([]);
    expect(ofType('timeoutNow', solo.acknowledge(B))).toMatchObject([{ to: B }]);
  });

  test('refuses proposals meanwhile, its own and others', () => {
    const solo = settledLeader();
    solo.member.step({ type: 'transferLeadership', to: B });
    solo.member.propose('x');
    const proposals = [new Uint8Array([1])];
    const envelope = { from: C, to: ME, term: 1, epoch: 1 };
    solo.receive({ ...envelope, type: 'propose', proposals });
    expect(solo.member.dropped).toEqual(['x']);
    expect(solo.status.lastIndex).toBe(1);
  });

  test('is repeated with heartbeats and given up after an election timeout', () => {
    const solo = settledLeader();
    solo.member.step({ type: 'transferLeadership', to: B });
    expect(ofType('timeoutNow', solo.sent()).length).toBe(1);
    const messages = solo.wait(HEARTBEAT_MS);
    expect(ofType('timeoutNow', messages).length).toBe(1);
    for (let i = 0; i < 3; i++) {
      solo.network.post(solo.wait(ELECTION_MS / 3));
      solo.settle(C);
    }
    solo.member.propose('x');
    expect([solo.status.role, solo.member.dropped]).toEqual(['leader', []]);
  });

  test.each([
    ['itself', ME],
    ['a learner', D],
    ['a stranger', memberId(9)],
  ])('to %s is ignored', (_name, to) => {
    const solo = settledLeader({ ...votersOnly([ME, B, C]), learners: [D] });
    solo.member.step({ type: 'transferLeadership', to });
    solo.member.propose('x');
    expect(solo.member.dropped).toEqual([]);
  });

  test('the newest wish counts', () => {
    const solo = settledLeader();
    solo.member.propose('a');
    solo.member.step({ type: 'transferLeadership', to: B });
    solo.member.step({ type: 'transferLeadership', to: C });
    expect(ofType('timeoutNow', solo.acknowledge(B, C))).toMatchObject([{ to: C }]);
  });
});

describe('the target', () => {
  const timeoutNow = { type: 'timeoutNow' as const, from: B, to: ME, term: 1, epoch: 1 };

  test('stands at once, without a pre-vote, and says why', () => {
    const solo = new Solo({ term: 1 });
    const sent = solo.receive(append(), timeoutNow);
    expect(ofType('vote', sent)).toMatchObject([
      { pre: false, transfer: true, term: 2 },
      { pre: false, transfer: true },
    ]);
  });

  test('takes the commit index of the same step with it', () => {
    const solo = new Solo({ term: 1 });
    const entries = append({ entries: [{ index: 1, term: 1, kind: 0, data: new Uint8Array() }] });
    solo.receive({ ...entries, commit: 1 }, timeoutNow);
    expect(solo.status.role).toBe('candidate');
  });

  test.each([
    ['a member that is not its leader', { from: C }],
    ['an earlier term', { term: 0 }],
  ])('does not listen to %s', (_name, fields) => {
    const solo = new Solo({ term: 1 });
    solo.receive(append());
    solo.receive({ ...timeoutNow, ...fields });
    expect(solo.status).toMatchObject({ role: 'follower', term: 1 });
  });

  test('that is a learner does not stand', () => {
    const solo = new Solo({ term: 1, confState: { ...votersOnly([B, C]), learners: [ME] } });
    solo.receive(append(), timeoutNow);
    expect(solo.status.role).toBe('follower');
  });

  test('that fails tries the usual way next time', () => {
    const solo = new Solo({ term: 1 });
    solo.receive(append(), timeoutNow);
    const [again] = ofType('vote', solo.wait(2 * ELECTION_MS));
    expect(again).toMatchObject({ pre: true, transfer: false });
  });
});
