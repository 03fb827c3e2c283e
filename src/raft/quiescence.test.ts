import { describe, expect, test } from 'vitest';
import { votersOnly } from './membership.ts';
import { ELECTION_MS, HEARTBEAT_MS, memberId, TestNetwork } from './testing.ts';
import { append, B, logOfTerms, ME, Solo } from './testing_solo.ts';

const QUIET_MS = 3_000;

/** A group that has fallen silent. */
function silent(voters = 3): TestNetwork {
  const net = TestNetwork.ofVoters(voters, { quiesceAfterMs: QUIET_MS });
  net.elect(1).propose('a');
  net.advance(2 * QUIET_MS);
  return net;
}

function count(net: TestNetwork, ms: number): number {
  let messages = 0;
  const { lose } = net;
  net.lose = (message) => {
    messages++;
    return lose(message);
  };
  net.advance(ms);
  net.lose = lose;
  return messages;
}

describe('an idle group', () => {
  test('sends nothing and sets no timer (P4)', () => {
    const net = silent();
    expect(count(net, 100 * ELECTION_MS)).toBe(0);
    for (const { raft, deadlineMs } of net.members.values()) {
      expect([raft.status.quiescent, deadlineMs]).toEqual([true, null]);
    }
    expect(net.leader?.raft.status.term).toBe(1);
  });

  test('never sleeps when it is not asked to', () => {
    const net = TestNetwork.ofVoters(3);
    net.elect(1);
    expect(count(net, 10 * ELECTION_MS)).toBeGreaterThan(50);
  });

  test('does not sleep while a member is behind', () => {
    const net = TestNetwork.ofVoters(3, { quiesceAfterMs: QUIET_MS });
    net.isolate(3);
    net.elect(1).propose('a');
    net.advance(3 * QUIET_MS);
    expect(net.leader?.raft.status.quiescent).toBe(false);
    net.isolate();
    net.advance(3 * QUIET_MS);
    expect(net.leader?.raft.status.quiescent).toBe(true);
  });

  test('of one member sleeps as well', () => {
    const net = silent(1);
    expect(net.member(1).raft.status.quiescent).toBe(true);
    net.member(1).propose('b');
    expect(net.member(1).appliedTexts).toEqual(['a', 'b']);
  });
});

describe('a sleeping group wakes', () => {
  test.each([1, 2])('by a proposal at member %i', (n) => {
    const net = silent();
    net.member(n).propose('b');
    net.deliver();
    for (const { appliedTexts } of net.members.values()) expect(appliedTexts).toContain('b');
    expect(net.member(1).deadlineMs).not.toBeNull();
    net.advance(ELECTION_MS);
    expect(net.leader?.raft.status.term).toBe(1);
    net.advance(3 * QUIET_MS);
    expect(count(net, 10 * ELECTION_MS)).toBe(0);
  });

  test.each([1, 3])('by a read at member %i, confirmed by a round', (n) => {
    const net = silent();
    net.member(n).step({ type: 'read', id: 1 });
    expect(net.member(n).reads.size).toBe(0);
    net.deliver();
    expect(net.member(n).reads.get(1)).toBe(2);
  });

  test('and finds a new leader when its own is gone', () => {
    const net = silent();
    net.member(1).down = true;
    net.member(2).propose('lost with the old leader');
    net.advance(6 * ELECTION_MS);
    expect(net.leader).not.toBeNull();
    expect(net.leader?.id).not.toBe(memberId(1));
  });

  test('when a member restarts', () => {
    const net = silent();
    net.member(3).restart();
    net.advance(4 * ELECTION_MS);
    expect(net.member(3).raft.status.leader).toBe(memberId(1));
    expect(net.leader?.raft.status.term).toBe(1);
  });

  test('when the leader itself restarts', () => {
    const net = silent();
    net.member(1).restart();
    net.advance(6 * ELECTION_MS);
    expect(net.leader).not.toBeNull();
  });

  test('when its last word to one member was lost', () => {
    const net = TestNetwork.ofVoters(3, { quiesceAfterMs: QUIET_MS });
    net.elect(1);
    net.lose = (message) =>
      message.type === 'append' && message.quiesce && message.to === memberId(3);
    net.advance(QUIET_MS + HEARTBEAT_MS);
    net.lose = () => false;
    net.advance(10 * QUIET_MS);
    expect(net.leader?.raft.status.term).toBe(1);
    expect(count(net, 10 * ELECTION_MS)).toBe(0);
  });
});

describe('a follower', () => {
  test('does not sleep unless it has everything', () => {
    const solo = new Solo({ log: logOfTerms(1, 1) });
    solo.receive(append({ prevIndex: 1, prevTerm: 1, commit: 1, quiesce: true }));
    expect(solo.status.quiescent).toBe(false);
    expect(solo.member.deadlineMs).not.toBeNull();
  });

  test('protects its sleeping leader once, then lets others try', () => {
    const solo = new Solo({ term: 1, confState: votersOnly([ME, B, memberId(3)]) });
    solo.receive(append({ quiesce: true }));
    expect(solo.status.quiescent).toBe(true);
    solo.network.nowMs += 100 * ELECTION_MS;
    const lastLog = { lastIndex: 0, lastTerm: 0 };
    const from = memberId(3);
    const envelope = { from, to: ME, term: 2, epoch: 1 };
    const preVote = { ...envelope, ...lastLog, type: 'vote' as const, pre: true, transfer: false };
    expect(solo.ask(preVote)).toMatchObject({ granted: false });
    expect(solo.status.quiescent).toBe(false);
    solo.network.nowMs += ELECTION_MS;
    expect(solo.ask(preVote)).toMatchObject({ granted: true });
  });
});
