import { describe, expect, test } from 'vitest';
import { votersOnly } from './membership.ts';
import { ELECTION_MS, HEARTBEAT_MS, memberId, TestNetwork } from './testing.ts';
import { append, appendReply, B, C, D, logOfTerms, ME, ofType, Solo } from './testing_solo.ts';

/** A leader that has committed in its term. */
function settledLeader(): Solo {
  const solo = Solo.leader();
  solo.settle(B, C);
  return solo;
}

function read(solo: Solo, id: number) {
  solo.sent();
  solo.member.step({ type: 'read', id });
  return ofType('append', solo.sent());
}

describe('at the leader', () => {
  test('a read is answered with the commit index after a round of its own', () => {
    const solo = settledLeader();
    const sent = read(solo, 1);
    expect(sent.map(({ to }) => to)).toEqual([B, C]);
    expect(solo.member.reads.size).toBe(0);
    solo.receive(appendReply({ from: B, index: 1, round: sent[0]?.round ?? 0 }));
    expect(solo.member.reads).toEqual(new Map([[1, 1]]));
  });

  test('answers to earlier rounds confirm nothing (R3)', () => {
    const solo = settledLeader();
    const [earlier] = ofType('append', solo.wait(HEARTBEAT_MS));
    read(solo, 1);
    solo.receive(appendReply({ from: B, index: 1, round: earlier?.round ?? 0 }));
    solo.receive(appendReply({ from: C, index: 1, round: earlier?.round ?? 0 }));
    expect(solo.member.reads.size).toBe(0);
  });

  test('a refusal confirms as well: it shows who leads, not what is stored', () => {
    const solo = settledLeader();
    const [sent] = read(solo, 1);
    solo.receive(appendReply({ accepted: false, index: 1, round: sent?.round ?? 0 }));
    expect(solo.member.reads.get(1)).toBe(1);
  });

  test('reads that arrive during a round share the next', () => {
    const solo = settledLeader();
    const [first] = read(solo, 1);
    expect(read(solo, 2)).toEqual([]);
    expect(read(solo, 3)).toEqual([]);
    const answer = appendReply({ from: B, index: 1, round: first?.round ?? 0 });
    const [second] = ofType('append', solo.receive(answer));
    expect([...solo.member.reads.keys()]).toEqual([1]);
    expect(second?.round).toBeGreaterThan(first?.round ?? 0);
    solo.receive(appendReply({ from: C, index: 1, round: second?.round ?? 0 }));
    expect([...solo.member.reads.keys()]).toEqual([1, 2, 3]);
  });

  test('a lost round is made good by the next heartbeat', () => {
    const solo = settledLeader();
    read(solo, 1);
    const [heartbeat] = ofType('append', solo.wait(HEARTBEAT_MS));
    solo.receive(appendReply({ from: B, index: 1, round: heartbeat?.round ?? 0 }));
    expect(solo.member.reads.get(1)).toBe(1);
  });

  test('wait until an entry of the own term is committed (R2)', () => {
    const solo = Solo.leader({ log: logOfTerms(1), commit: 1 });
    solo.member.step({ type: 'read', id: 1 });
    const [heartbeat] = ofType('append', solo.wait(HEARTBEAT_MS));
    const round = heartbeat?.round ?? 0;
    solo.receive(...[B, C].map((from) => appendReply({ from, term: 2, index: 1, round })));
    expect(solo.member.reads.size).toBe(0);
    solo.receive(appendReply({ term: 2, index: 2, round }));
    solo.settle(B);
    expect(solo.status.commit).toBe(2);
    solo.wait(HEARTBEAT_MS);
    expect(solo.member.reads.size + solo.member.readFailures.size).toBe(0);
    solo.receive(appendReply({ term: 2, index: 2, round: round + 9 }));
    expect(solo.member.reads.get(1)).toBe(2);
  });

  test('need both halves of a joint configuration', () => {
    const confState = { ...votersOnly([ME, B]), votersOutgoing: [ME, C, D] };
    const solo = Solo.leader({ confState });
    solo.settle(B, C, D);
    const [sent] = read(solo, 1);
    solo.receive(appendReply({ from: B, index: 1, round: sent?.round ?? 0 }));
    expect(solo.member.reads.size).toBe(0);
    solo.receive(appendReply({ from: D, index: 1, round: sent?.round ?? 0 }));
    expect(solo.member.reads.size).toBe(1);
  });

  test('are confirmed by no learner', () => {
    const confState = { ...votersOnly([ME, B, C]), learners: [D] };
    const solo = Solo.leader({ confState });
    solo.settle(B, C, D);
    const [sent] = read(solo, 1);
    solo.receive(appendReply({ from: D, index: 1, round: sent?.round ?? 0 }));
    expect(solo.member.reads.size).toBe(0);
  });

  test('fail when leadership ends (R4)', () => {
    const solo = settledLeader();
    read(solo, 1);
    solo.receive(append({ from: C, term: 2 }));
    expect(solo.member.readFailures).toEqual(new Map([[1, 'leaderChanged']]));
  });

  test('of a single voter are answered in the same step', () => {
    const solo = new Solo({ confState: votersOnly([ME]) });
    solo.wait(0);
    read(solo, 7);
    expect(solo.member.reads).toEqual(new Map([[7, 1]]));
  });
});

describe('at a follower', () => {
  function follower(): Solo {
    const solo = new Solo({ term: 1, epoch: 3 });
    solo.receive(append());
    return solo;
  }

  function asked(solo: Solo, id: number) {
    solo.sent();
    solo.member.step({ type: 'read', id });
    return ofType('read', solo.sent());
  }

  const reply = { type: 'readReply' as const, from: B, to: ME, term: 1, epoch: 1 };

  test('are asked of the leader, under an id that no earlier instance used', () => {
    const solo = follower();
    const [one] = asked(solo, 1);
    const [two] = asked(solo, 2);
    expect(one).toMatchObject({ to: B, term: 1, epoch: 3 });
    expect(one?.id).toBeGreaterThan(3 * 2 ** 32);
    expect(two?.id).toBeGreaterThan(one?.id ?? 0);
    solo.receive({ ...reply, id: one?.id ?? 0, index: 0 });
    expect(solo.member.reads).toEqual(new Map([[1, 0]]));
  });

  test('answers of others, of other terms, and null ones do not count (R4)', () => {
    const solo = follower();
    const id = asked(solo, 1)[0]?.id ?? 0;
    solo.receive({ ...reply, id, index: null }, { ...reply, id, from: C, index: 0 });
    solo.receive({ ...reply, id: id + 1, index: 0 }, { ...reply, id, term: 0, index: 0 });
    expect(solo.member.reads.size).toBe(0);
  });

  test('are asked again every heartbeat interval, under the same id', () => {
    const solo = follower();
    const id = asked(solo, 1)[0]?.id;
    const again = ofType('read', solo.wait(HEARTBEAT_MS));
    expect(again).toMatchObject([{ id }]);
  });

  test('are asked of the next leader under a new id', () => {
    const solo = follower();
    const id = asked(solo, 1)[0]?.id ?? 0;
    const sent = ofType('read', solo.receive(append({ from: C, term: 2 })));
    expect(sent).toMatchObject([{ to: C, term: 2 }]);
    expect(sent[0]?.id).toBeGreaterThan(id);
    solo.receive({ ...reply, from: C, term: 2, id, index: 0 });
    expect(solo.member.reads.size).toBe(0);
  });

  test('share requests while several are under way', () => {
    const solo = follower();
    const requests = [1, 2, 3, 4, 5, 6, 7].flatMap((id) => asked(solo, id));
    expect(requests.length).toBe(4);
    const next = ofType('read', solo.receive({ ...reply, id: requests[0]?.id ?? 0, index: 0 }));
    expect(next.length).toBe(1);
    solo.receive({ ...reply, id: next[0]?.id ?? 0, index: 0 });
    expect([...solo.member.reads.keys()]).toEqual([1, 5, 6, 7]);
  });

  test('without a leader wait for one, but not for ever', () => {
    const solo = new Solo({ term: 1 });
    solo.member.step({ type: 'read', id: 1 });
    expect(ofType('read', solo.receive(append()))).toMatchObject([{ to: B }]);
    const alone = new Solo({ term: 1 });
    alone.member.step({ type: 'read', id: 1 });
    alone.wait(2 * ELECTION_MS - 1);
    expect(alone.member.readFailures.size).toBe(0);
    alone.wait(1);
    expect(alone.member.readFailures).toEqual(new Map([[1, 'noLeader']]));
  });

  test('become the leader’s own when the member wins', () => {
    const solo = new Solo();
    solo.member.step({ type: 'read', id: 1 });
    solo.member.step({ type: 'campaign' });
    solo.grant(true);
    solo.grant(false);
    solo.settle(B);
    expect(solo.member.reads).toEqual(new Map([[1, 1]]));
  });

  test('a request that reaches no leader is answered with null', () => {
    const solo = new Solo({ term: 1 });
    const request = { type: 'read' as const, from: B, to: ME, term: 1, epoch: 1, id: 5 };
    expect(solo.ask(request)).toMatchObject({ type: 'readReply', to: B, id: 5, index: null });
  });

  test('a repeated request is answered once', () => {
    const solo = settledLeader();
    const request = { type: 'read' as const, from: C, to: ME, term: 1, epoch: 1, id: 5 };
    const answers = ofType('readReply', solo.receive(request, request));
    expect(answers).toMatchObject([{ to: C, id: 5, index: 1 }]);
  });

  test('a request of a voter makes a quorum of three by itself, with no round', () => {
    const solo = settledLeader();
    const output = solo.receive({ type: 'read', from: C, to: ME, term: 1, epoch: 1, id: 5 });
    expect(ofType('readReply', output)).toMatchObject([{ to: C, id: 5, index: 1 }]);
    expect(ofType('append', output)).toEqual([]);
  });

  test('a request of a learner vouches for nothing', () => {
    const solo = settledLeader();
    const output = solo.receive({
      type: 'read',
      from: 'stranger',
      to: ME,
      term: 1,
      epoch: 1,
      id: 5,
    });
    expect(ofType('readReply', output)).toEqual([]);
  });
});

test('every member reads what was written before, in a running group', () => {
  const net = TestNetwork.ofVoters(3);
  const leader = net.elect(1);
  leader.propose('a');
  net.deliver();
  for (const [id, member] of [...net.members.values()].entries()) member.step({ type: 'read', id });
  net.deliver();
  for (const [id, member] of [...net.members.values()].entries()) {
    expect(member.reads.get(id)).toBe(leader.raft.status.commit);
  }
});

test('a leader cut off from the rest answers no read', () => {
  const net = TestNetwork.ofVoters(3);
  const old = net.elect(1);
  net.isolate(1);
  old.step({ type: 'read', id: 1 });
  net.advance(10 * ELECTION_MS);
  expect(net.leader?.id).not.toBe(memberId(1));
  expect([old.reads.size, old.readFailures.get(1)]).toEqual([0, 'leaderChanged']);
});
