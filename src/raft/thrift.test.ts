import { describe, expect, test } from 'vitest';
import { encodeConfChange } from './confchange.ts';
import { votersOnly } from './membership.ts';
import { EntryKind, type Message } from './message.ts';
import type { RaftOptions } from './options.ts';
import { HEARTBEAT_MS, TestNetwork } from './testing.ts';
import { accept, appendReply, B, C, D, ME, ofType, Solo } from './testing_solo.ts';

const DELAY_MS = 5;
const options: Partial<RaftOptions> = { thriftDelayMs: DELAY_MS };

/** A leader whose first entry its peers hold. */
function thriftyLeader(confState = votersOnly([ME, B, C])): Solo {
  const solo = Solo.leader({ options, confState });
  solo.settle(...[...solo.status.progress.keys()]);
  return solo;
}

/** To whom appends with entries were sent, and how many. */
function entriesSent(solo: Solo, sent: readonly Message[] = solo.sent()): [string, number][] {
  const appends = ofType('append', sent).filter(({ entries }) => entries.length > 0);
  return appends.map(({ to, entries }) => [to, entries.length]);
}

function pass(solo: Solo, ms: number): void {
  solo.network.nowMs += ms;
  solo.member.step({ type: 'tick' });
}

describe('entries', () => {
  test('go to as many peers as make a majority, to the others when it is time', () => {
    const solo = thriftyLeader();
    solo.member.propose('a');
    expect(entriesSent(solo)).toEqual([[B, 1]]);
    expect(solo.member.deadlineMs).toBe(solo.network.nowMs + DELAY_MS);
    pass(solo, DELAY_MS - 1);
    expect(entriesSent(solo)).toEqual([]);
    pass(solo, 1);
    expect(entriesSent(solo)).toEqual([[C, 1]]);
  });

  test('of several proposals reach the others together, with their commit', () => {
    const solo = thriftyLeader();
    for (const text of ['a', 'b', 'c']) {
      expect(entriesSent(solo, solo.member.propose(text).sendNow)).toEqual([[B, 1]]);
      solo.acknowledge(B);
      pass(solo, 1);
    }
    pass(solo, DELAY_MS);
    const last = ofType('append', solo.sent()).at(-1);
    expect(last).toMatchObject({ to: C, commit: solo.status.commit });
    expect(last?.entries.length).toBe(3);
  });

  test('that a peer is still owed tell it of commits, nothing else does', () => {
    const solo = Solo.leader({ options: { ...options, commitDelayMs: 1 } });
    solo.settle(B, C);
    solo.member.propose('a');
    pass(solo, DELAY_MS);
    solo.acknowledge(B, C);
    solo.member.propose('b');
    solo.acknowledge(B);
    // C may be behind what is compacted: a message from there on could not be sent.
    solo.member.step({ type: 'compact', index: solo.status.applied });
    pass(solo, 2);
    expect(solo.sent().filter(({ to }) => to === C)).toEqual([]);
  });

  test('go to who answered the last time, once another has kept them waiting', () => {
    const solo = thriftyLeader();
    solo.member.propose('a');
    pass(solo, DELAY_MS);
    solo.acknowledge(C);
    solo.sent();
    solo.member.propose('b');
    expect(entriesSent(solo)).toEqual([[C, 1]]);
  });

  test('do not wait for a peer that owes an answer, though its clients propose them', () => {
    const solo = thriftyLeader();
    const { term } = solo.status;
    const proposals = [new TextEncoder().encode('a')];
    solo.receive({ from: B, to: ME, term, epoch: 1, type: 'propose', proposals });
    pass(solo, DELAY_MS);
    solo.acknowledge(C);
    solo.member.propose('b');
    expect(entriesSent(solo).map(([to]) => to)).toContain(C);
  });

  test('go at once to whoever is left when a peer cannot be reached', () => {
    const solo = thriftyLeader();
    solo.member.propose('a');
    solo.sent();
    solo.member.step({ type: 'unreachable', peer: B });
    expect(entriesSent(solo)).toContainEqual([C, 1]);
  });

  test('go at once to peers whose clients proposed them', () => {
    const solo = thriftyLeader();
    const data = new TextEncoder().encode('a');
    const { term } = solo.status;
    const base = { to: ME, term, epoch: 1, type: 'propose' as const, proposals: [data] };
    expect(entriesSent(solo, solo.receive({ ...base, from: C }))).toEqual([[C, 1]]);
    expect(entriesSent(solo, solo.receive({ ...base, from: B }))).toEqual([[B, 2]]);
  });

  test('go at once to a peer whose clients read them', () => {
    const solo = thriftyLeader();
    solo.member.propose('a');
    solo.acknowledge(B);
    const { term } = solo.status;
    const sent = solo.receive({ from: C, to: ME, term, epoch: 1, type: 'read', id: 1 });
    expect(entriesSent(solo, sent)).toEqual([[C, 1]]);
  });

  test('go at once to a peer where clients watch, and so does their commit', () => {
    const solo = Solo.leader({ options: { ...options, commitDelayMs: 10 } });
    solo.settle(B, C);
    const { term, commit } = solo.status;
    const watched = { from: C, term, attended: true };
    solo.receive(appendReply({ ...watched, index: commit }));
    solo.member.propose('a');
    expect(entriesSent(solo).map(([to]) => to)).toEqual([B, C]);
    solo.receive(appendReply({ from: B, term, index: commit + 1 }));
    // Its acknowledgement decides nothing, and yet must not wait for the next step.
    expect(solo.member.raft.isSettled).toBe(false);
    const told = solo.receive(appendReply({ ...watched, index: commit + 1 }));
    expect(told).toMatchObject([{ to: C, type: 'append', commit: commit + 1 }]);
  });

  test('that change the members go to all at once, and so does their commit', () => {
    const solo = Solo.leader({ options: { ...options, commitDelayMs: 10 } });
    solo.settle(B, C);
    const change = { transition: 'auto', changes: [{ type: 'addLearner', id: D }] } as const;
    const proposal = { kind: EntryKind.confChange, data: encodeConfChange(change) };
    solo.member.step({ type: 'propose', proposals: [proposal] });
    const sent = solo.sent();
    expect(entriesSent(solo, sent).map(([to]) => to)).toEqual([B, C]);
    const told = solo.receive(...ofType('append', sent).map(accept));
    const { commit } = solo.status;
    expect(told.filter(({ to }) => to !== D)).toMatchObject([
      { to: B, type: 'append', commit },
      { to: C, type: 'append', commit },
    ]);
  });

  test('that follow a change of members do not make the news of it less pressing', () => {
    const solo = Solo.leader({ options: { ...options, commitDelayMs: 10 } });
    solo.settle(B, C);
    const { term, commit } = solo.status;
    const change = { transition: 'auto', changes: [{ type: 'addLearner', id: D }] } as const;
    const proposal = { kind: EntryKind.confChange, data: encodeConfChange(change) };
    solo.member.step({ type: 'propose', proposals: [proposal] });
    solo.member.propose('a');
    solo.receive(appendReply({ from: B, term, index: commit + 2 }));
    solo.receive(appendReply({ from: D, term, index: commit + 2 }));
    expect(solo.status.commit).toBe(commit + 2);
    expect(solo.member.raft.isSettled).toBe(false);
  });

  test('go to everybody when they are many', () => {
    const solo = Solo.leader({ options: { ...options, thriftBatchMax: 2 } });
    solo.settle(B, C);
    solo.member.propose('a', 'b');
    expect(entriesSent(solo)).toEqual([[B, 2]]);
    solo.member.propose('c', 'd', 'e');
    expect(entriesSent(solo)).toEqual([
      [B, 3],
      [C, 5],
    ]);
  });

  test('go to a majority of both halves of a joint configuration', () => {
    const solo = Solo.leader({
      options,
      confState: { ...votersOnly([ME, B]), votersOutgoing: [ME, C, D] },
    });
    solo.acknowledge(B, C, D);
    solo.member.propose('a');
    expect(entriesSent(solo).map(([to]) => to)).toEqual([B, C]);
  });

  test('reach learners later: they decide nothing', () => {
    const solo = thriftyLeader({ ...votersOnly([ME, B]), learners: [D] });
    solo.member.propose('a');
    expect(entriesSent(solo)).toEqual([[B, 1]]);
    pass(solo, DELAY_MS);
    expect(entriesSent(solo)).toEqual([[D, 1]]);
  });

  test('that are left of a full window go as soon as there is room, not after the delay', () => {
    const solo = Solo.leader({
      options: { ...options, inflightAppendsMax: 1, appendBytesMax: 1 },
    });
    solo.settle(B, C);
    solo.member.propose('a', 'b');
    expect(entriesSent(solo)).toEqual([[B, 1]]);
    expect(solo.member.raft.isSettled).toBe(false);
    const sent = solo.receive(appendReply({ from: B, term: solo.status.term, index: 2 }));
    expect(entriesSent(solo, sent)).toEqual([[B, 1]]);
  });
});

describe('a read round', () => {
  test('asks as many peers as make a majority, and the others only when it waits', () => {
    const solo = thriftyLeader();
    solo.member.step({ type: 'read', id: 1 });
    expect(ofType('append', solo.sent()).map(({ to }) => to)).toEqual([B]);
    pass(solo, DELAY_MS);
    expect(ofType('append', solo.sent()).map(({ to }) => to)).toEqual([C]);
  });

  test('that a majority has answered is nobody else’s business', () => {
    const network = TestNetwork.ofVoters(3, options);
    const leader = network.elect(1);
    const asked: string[] = [];
    network.lose = ({ from, to }) => {
      if (from === leader.id) asked.push(to);
      return false;
    };
    leader.step({ type: 'read', id: 1 });
    network.advance(HEARTBEAT_MS / 2);
    expect([leader.reads.has(1), asked.length]).toEqual([true, 1]);
  });

  test('does not put off the heartbeats of those who are spared it', () => {
    const network = TestNetwork.ofVoters(3, options);
    const leader = network.elect(1);
    for (let id = 1; id <= 100; id++) {
      leader.step({ type: 'read', id });
      network.advance(HEARTBEAT_MS / 10);
    }
    for (const n of [2, 3]) expect(network.member(n).raft.status.term).toBe(1);
    const heard = [...leader.raft.status.progress.values()].map(({ heardMs }) => heardMs);
    expect(Math.min(...heard)).toBeGreaterThanOrEqual(network.nowMs - 2 * HEARTBEAT_MS);
  });

  test('leaves heartbeats to learners alone, though a lone voter needs no round', () => {
    const confState = { ...votersOnly([ME]), learners: [D] };
    const solo = Solo.leader({ options, confState });
    solo.acknowledge(D);
    solo.network.nowMs += HEARTBEAT_MS;
    const { sendNow } = solo.member.step({ type: 'read', id: 1 });
    expect(ofType('append', sendNow).map(({ to }) => to)).toEqual([D]);
  });

  test('costs the delay once when the peer that was asked is silent', () => {
    const network = TestNetwork.ofVoters(3, options);
    const leader = network.elect(1);
    network.isolate(2);
    leader.step({ type: 'read', id: 1 });
    network.advance(DELAY_MS);
    expect(leader.reads.has(1)).toBe(true);
    leader.step({ type: 'read', id: 2 });
    network.deliver();
    expect(leader.reads.has(2)).toBe(true);
  });
});
