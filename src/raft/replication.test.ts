import { describe, expect, test } from 'vitest';
import { votersOnly } from './membership.ts';
import { ELECTION_MS, HEARTBEAT_MS, memberId, TestNetwork } from './testing.ts';
import { accept, appendReply, B, C, D, logOfTerms, ME, ofType, Solo } from './testing_solo.ts';

/** A leader whose first entry B and C hold. */
function settledLeader(options = {}): Solo {
  const solo = Solo.leader({ options });
  solo.settle(B, C);
  return solo;
}

function peer(solo: Solo, id = B) {
  return solo.status.progress.get(id);
}

describe('a new leader', () => {
  test('opens its term with an empty entry, sent to everybody at once', () => {
    const solo = new Solo({ log: logOfTerms(1, 1) });
    solo.member.step({ type: 'campaign' });
    solo.grant(true);
    solo.grant(false);
    const appends = ofType('append', solo.sent());
    expect(appends.map(({ to }) => to)).toEqual([B, C]);
    expect(appends[0]).toMatchObject({ prevIndex: 2, prevTerm: 1, term: 2, commit: 0 });
    expect(appends[0]?.entries).toMatchObject([{ index: 3, term: 2, data: new Uint8Array() }]);
  });

  test('sends its entries before they are durable here', () => {
    const solo = settledLeader();
    solo.member.autoPersist = false;
    const output = solo.member.propose('a');
    expect(ofType('append', output.sendNow).length).toBe(2);
    expect(output.persist?.entries.length).toBe(1);
    expect(output.sendAfterPersist).toEqual([]);
  });
});

describe('commit', () => {
  test('needs a quorum, of which the leader is one only when durable', () => {
    const solo = settledLeader();
    solo.member.autoPersist = false;
    solo.member.propose('a');
    solo.acknowledge(B);
    expect(solo.status.commit).toBe(1);
    solo.member.confirm();
    expect(solo.status.commit).toBe(2);
  });

  test('does not need the leader’s disk when the others suffice', () => {
    const solo = settledLeader();
    solo.member.autoPersist = false;
    solo.member.propose('a');
    solo.acknowledge(B, C);
    expect([solo.status.commit, solo.member.appliedTexts]).toEqual([2, ['a']]);
  });

  test('of an earlier term happens only through an entry of the own (figure 3.7)', () => {
    const solo = Solo.leader({ log: logOfTerms(1, 2) });
    solo.receive(appendReply({ from: B, term: 3, index: 2 }));
    expect(solo.status.commit).toBe(0);
    solo.receive(appendReply({ from: B, term: 3, index: 3 }));
    expect(solo.status.commit).toBe(3);
  });

  test('needs both halves of a joint configuration', () => {
    const confState = { ...votersOnly([ME, B]), votersOutgoing: [ME, C, D] };
    const solo = Solo.leader({ confState });
    solo.acknowledge(B);
    expect(solo.status.commit).toBe(0);
    solo.receive(appendReply({ from: D, index: 1 }));
    expect(solo.status.commit).toBe(1);
  });

  test('never counts a learner (M3)', () => {
    const confState = { ...votersOnly([ME, B, C]), learners: [D] };
    const solo = Solo.leader({ confState });
    solo.acknowledge(D);
    expect(solo.status.commit).toBe(0);
  });

  test('is told at once to a peer that has nothing under way', () => {
    const solo = Solo.leader();
    const sent = ofType('append', solo.acknowledge(B));
    expect(sent).toMatchObject([{ to: B, prevIndex: 1, entries: [], commit: 1 }]);
  });

  test('is told to a busy peer with its next append', () => {
    const solo = settledLeader();
    solo.member.propose('a');
    const [first] = ofType('append', solo.sent());
    solo.member.propose('b');
    solo.sent();
    if (first === undefined) throw new Error('an append was sent');
    expect(ofType('append', solo.receive(accept(first)))).toEqual([]);
    solo.member.propose('c');
    expect(ofType('append', solo.sent())[0]).toMatchObject({ to: B, commit: 2 });
  });
});

describe('pipelining', () => {
  test('stops when the window is full and goes on with the answers', () => {
    const solo = settledLeader({ inflightAppendsMax: 2 });
    for (const text of ['a', 'b', 'c', 'd']) solo.member.propose(text);
    const sent = ofType('append', solo.sent()).filter(({ to }) => to === B);
    expect(sent.map(({ prevIndex }) => prevIndex)).toEqual([1, 2]);
    expect(peer(solo)).toMatchObject({ inflight: 2, next: 4 });
    const [first] = sent;
    if (first === undefined) throw new Error('an append was sent');
    // All that waited goes into one append.
    const more = ofType('append', solo.receive(accept(first)));
    expect(more).toMatchObject([{ to: B, prevIndex: 3, entries: [{ index: 4 }, { index: 5 }] }]);
  });

  test('cuts appends by bytes', () => {
    const solo = settledLeader({ appendBytesMax: 200 });
    solo.member.propose(...new Array<string>(5).fill('x'.repeat(30)));
    const sent = ofType('append', solo.sent()).filter(({ to }) => to === B);
    expect(sent.map(({ entries }) => entries.length)).toEqual([2, 2, 1]);
  });

  test('late, repeated and reordered answers are harmless', () => {
    const solo = settledLeader();
    for (const text of ['a', 'b', 'c']) solo.member.propose(text);
    const sent = ofType('append', solo.sent()).filter(({ to }) => to === B);
    const replies = sent.map(accept).reverse();
    const late = appendReply({ from: B, accepted: false, index: 1 });
    solo.network.post(solo.receive(...replies, ...replies, late));
    expect(peer(solo)).toMatchObject({ match: 4, next: 5, state: 'replicate' });
    solo.settle(B);
    expect(peer(solo)).toMatchObject({ match: 4, next: 5, inflight: 0 });
  });

  test('an acknowledgement of what was never sent stops the leader', () => {
    const solo = settledLeader();
    expect(() => solo.receive(appendReply({ from: B, index: 99 }))).toThrow(/never sent/);
  });

  test('answers of strangers are ignored', () => {
    const solo = settledLeader();
    solo.receive(appendReply({ from: memberId(9), index: 1 }));
    expect(solo.status.progress.has(memberId(9))).toBe(false);
  });
});

describe('lost appends', () => {
  test('are found out by a heartbeat and sent again', () => {
    const net = TestNetwork.ofVoters(3);
    const leader = net.elect(1);
    net.lose = ({ to }) => to === memberId(3);
    leader.propose('a', 'b');
    leader.propose('c');
    net.deliver();
    net.lose = () => false;
    net.advance(5 * HEARTBEAT_MS);
    expect(net.member(3).appliedTexts).toEqual(['a', 'b', 'c']);
    expect(leader.raft.status.progress.get(memberId(3))?.state).toBe('replicate');
  });

  test('do not fill the window for ever', () => {
    const net = TestNetwork.ofVoters(3, { inflightAppendsMax: 1 });
    const leader = net.elect(1);
    net.lose = ({ to }) => to === memberId(3);
    for (const text of ['a', 'b', 'c']) leader.propose(text);
    net.deliver();
    net.lose = () => false;
    net.advance(5 * HEARTBEAT_MS);
    expect(net.member(3).appliedTexts).toEqual(['a', 'b', 'c']);
  });

  test('of a probe are found out too', () => {
    const net = TestNetwork.ofVoters(3);
    net.lose = ({ to, type }) => to === memberId(3) && type === 'append';
    const leader = net.elect(1);
    leader.propose('a');
    net.deliver();
    net.lose = () => false;
    net.advance(5 * HEARTBEAT_MS);
    expect(net.member(3).appliedTexts).toEqual(['a']);
  });

  test('whose entries are compacted meanwhile lead to a snapshot', () => {
    const net = TestNetwork.ofVoters(3, { inflightAppendsMax: 1 });
    const leader = net.elect(1);
    net.lose = ({ to }) => to === memberId(3);
    leader.propose('a');
    leader.propose('b');
    net.deliver();
    leader.step({ type: 'compact', index: 3 });
    net.lose = () => false;
    net.advance(5 * HEARTBEAT_MS);
    expect(leader.snapshotsWanted).toEqual([memberId(3)]);
  });

  test('the heartbeat of a busy peer does not take delay for loss', () => {
    const solo = settledLeader();
    solo.wait(HEARTBEAT_MS - 1);
    solo.member.propose('a');
    solo.sent();
    const early = ofType('append', solo.wait(HEARTBEAT_MS));
    expect(early[0]).toMatchObject({ to: B, entries: [], prevIndex: 1 });
    solo.receive(appendReply({ from: B, index: 1, round: early[0]?.round ?? 0 }));
    const late = ofType('append', solo.wait(3 * HEARTBEAT_MS)).filter(({ to }) => to === B);
    expect(late.at(-1)).toMatchObject({ prevIndex: 2 });
  });

  test('a connection known to be lost is probed at once', () => {
    const solo = settledLeader();
    solo.member.propose('a');
    solo.sent();
    solo.member.step({ type: 'unreachable', peer: B });
    expect(ofType('append', solo.sent())).toMatchObject([{ to: B, prevIndex: 1 }]);
    expect(peer(solo)?.state).toBe('probe');
    solo.member.propose('b');
    expect(ofType('append', solo.sent()).filter(({ to }) => to === B)).toEqual([]);
  });
});

describe('heartbeats', () => {
  test('go out every interval, with commit and a rising round', () => {
    const solo = settledLeader();
    const sent = ofType('append', solo.wait(3 * HEARTBEAT_MS)).filter(({ to }) => to === B);
    expect(sent.length).toBe(3);
    expect(sent.every(({ entries, commit }) => entries.length === 0 && commit === 1)).toBe(true);
    const rounds = sent.map(({ round }) => round);
    expect(rounds).toEqual([...new Set(rounds)].sort((a, b) => a - b));
  });

  test('go to a peer whose window is full as well', () => {
    const solo = settledLeader({ inflightAppendsMax: 1 });
    solo.member.propose('a');
    solo.member.propose('b');
    solo.sent();
    const sent = ofType('append', solo.wait(HEARTBEAT_MS)).filter(({ to }) => to === B);
    expect(sent).toMatchObject([{ entries: [] }]);
  });
});

describe('the instance of a peer (P1)', () => {
  test('a superseded one is not heard', () => {
    const solo = settledLeader();
    solo.member.propose('a');
    solo.sent();
    solo.receive(appendReply({ from: B, epoch: 5, index: 1 }));
    solo.receive(appendReply({ from: B, epoch: 4, index: 2 }));
    expect(peer(solo)?.match).toBe(1);
    expect(solo.status.commit).toBe(1);
  });

  test('a new one is probed, as what was under way to the old one is lost', () => {
    const solo = settledLeader();
    solo.member.propose('a');
    solo.sent();
    const sent = solo.receive(appendReply({ from: B, epoch: 2, index: 0, accepted: false }));
    expect(ofType('append', sent)).toMatchObject([
      { to: B, prevIndex: 1, entries: [{ index: 2 }] },
    ]);
  });
});

test('a lagging member is repaired term by term, not entry by entry', () => {
  const confState = votersOnly([memberId(1), memberId(2)]);
  const net = new TestNetwork({ ...confState, voters: [] });
  const disks = [logOfTerms(...new Array<number>(50).fill(1), 3), logOfTerms(1, 1, 2, 2, 2, 2, 2)];
  for (const [i, log] of disks.entries()) {
    const member = TestNetwork.ofVoters(2).member(i + 1);
    member.disk.log = log;
    member.disk.hardState = { term: 3, vote: null };
    net.add(memberId(i + 1), member.disk);
  }
  net.member(1).step({ type: 'campaign' });
  let refusals = 0;
  net.lose = (message) => {
    if (message.type === 'appendReply' && !message.accepted) refusals++;
    return false;
  };
  net.advance(ELECTION_MS / 2);
  expect(net.member(2).raft.status.lastIndex).toBe(52);
  expect(refusals).toBeLessThanOrEqual(2);
});
