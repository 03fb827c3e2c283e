import { describe, expect, test } from 'vitest';
import { encodeConfChange } from './confchange.ts';
import { type ConfChange, isJoint, votersOnly } from './membership.ts';
import { EntryKind } from './message.ts';
import { ELECTION_MS, HEARTBEAT_MS, MemoryDisk, memberId, TestNetwork } from './testing.ts';
import { append, B, C, ME, Solo } from './testing_solo.ts';

function confChange(change: ConfChange) {
  return { kind: EntryKind.confChange, data: encodeConfChange(change) };
}

function proposeChange(net: TestNetwork, ...changes: ConfChange['changes'][number][]) {
  const leader = net.leader;
  if (leader === null) throw new Error('no leader');
  leader.step({ type: 'propose', proposals: [confChange({ transition: 'auto', changes })] });
  net.advance(HEARTBEAT_MS * 2);
}

/** Members 1..voters vote; the others up to `all` run but are strangers. */
function group(voters: number, all: number): TestNetwork {
  const net = TestNetwork.ofVoters(voters);
  const { confState } = net.member(1).disk;
  for (let n = voters + 1; n <= all; n++) net.add(memberId(n), new MemoryDisk(confState));
  net.elect(1);
  return net;
}

describe('a change of configuration', () => {
  test('adds a learner that receives the log and does not vote', () => {
    const net = group(3, 4);
    proposeChange(net, { type: 'addLearner', id: memberId(4) });
    net.leader?.propose('a');
    net.deliver();
    expect(net.member(4).appliedTexts).toContain('a');
    expect(net.member(4).raft.status.confState.learners).toEqual([memberId(4)]);
  });

  test('promotes the learner', () => {
    const net = group(1, 2);
    proposeChange(net, { type: 'addLearner', id: memberId(2) });
    proposeChange(net, { type: 'addVoter', id: memberId(2) });
    net.member(2).down = true;
    net.leader?.propose('needs both');
    net.advance(HEARTBEAT_MS);
    expect(net.member(1).appliedTexts).not.toContain('needs both');
  });

  test('of several voters goes through a joint phase that ends by itself', () => {
    const net = group(3, 5);
    const [d, e] = [memberId(4), memberId(5)];
    proposeChange(
      net,
      { type: 'addVoter', id: d },
      { type: 'addVoter', id: e },
      { type: 'remove', id: memberId(2) },
    );
    const { confState } = net.member(1).raft.status;
    expect(confState).toEqual(votersOnly([memberId(1), memberId(3), d, e]));
    expect(net.member(5).raft.status.confState).toEqual(confState);
    const kinds = net.member(1).applied.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === EntryKind.confChange).length).toBe(2);
  });

  test('that was left half-way is finished by the next leader', () => {
    const confState = { ...votersOnly([ME, B]), votersOutgoing: [ME, C], autoLeave: true };
    const solo = Solo.leader({ confState });
    solo.settle(B, C);
    expect(isJoint(solo.status.confState)).toBe(false);
    expect(solo.status.confState.voters).toEqual([ME, B]);
  });

  test('that is to be ended by hand stays joint until told', () => {
    const net = group(3, 4);
    const change = { type: 'addVoter' as const, id: memberId(4) };
    const explicit = confChange({ transition: 'jointExplicit', changes: [change] });
    net.leader?.step({ type: 'propose', proposals: [explicit] });
    net.advance(ELECTION_MS);
    expect(isJoint(net.member(2).raft.status.confState)).toBe(true);
    net.leader?.step({
      type: 'propose',
      proposals: [confChange({ transition: 'auto', changes: [] })],
    });
    net.advance(ELECTION_MS);
    expect(isJoint(net.member(4).raft.status.confState)).toBe(false);
  });

  test('that does not fit is void, the same on every member', () => {
    const data = encodeConfChange({
      transition: 'auto',
      changes: [ME, B, C].map((id) => ({ type: 'remove' as const, id })),
    });
    const solo = new Solo({ term: 1 });
    const entries = [{ index: 1, term: 1, kind: EntryKind.confChange, data }];
    solo.receive(append({ entries, commit: 1 }));
    expect(solo.status).toMatchObject({ applied: 1, confState: votersOnly([ME, B, C]) });
  });

  test('is in force again after a restart from rows of before it', () => {
    const net = group(3, 4);
    proposeChange(net, { type: 'addLearner', id: memberId(4) });
    const member = net.member(2);
    member.durable.applied = 0;
    member.durable.confState = votersOnly([memberId(1), memberId(2), memberId(3)]);
    member.restart();
    member.step({ type: 'tick' });
    net.advance(HEARTBEAT_MS);
    expect(member.raft.status.confState.learners).toEqual([memberId(4)]);
  });
});

describe('a leader that is removed', () => {
  test('does not count itself', () => {
    const net = group(3, 3);
    net.lose = ({ type }) => type === 'timeoutNow';
    proposeChange(net, { type: 'remove', id: memberId(1) });
    const leader = net.member(1);
    expect(leader.raft.status.role).toBe('leader');
    expect(leader.raft.status.confState.voters).toEqual([memberId(2), memberId(3)]);
    const { commit } = leader.raft.status;
    net.lose = ({ from }) => from === memberId(1);
    net.advance(2 * ELECTION_MS);
    expect(leader.raft.status.commit).toBe(commit);
    expect(leader.raft.status.role).toBe('follower');
  });

  test('hands over to a member that knows of the removal', () => {
    const net = group(3, 3);
    proposeChange(net, { type: 'remove', id: memberId(1) });
    net.advance(ELECTION_MS);
    expect([memberId(2), memberId(3)]).toContain(net.leader?.id);
    net.leader?.propose('without it');
    net.deliver();
    expect(net.member(2).appliedTexts).toContain('without it');
    expect(net.member(3).appliedTexts).toContain('without it');
  });

  test('one of two leaves the other able to go on alone', () => {
    const net = group(2, 2);
    proposeChange(net, { type: 'remove', id: memberId(1) });
    net.advance(3 * ELECTION_MS);
    net.member(1).down = true;
    expect(net.leader?.id).toBe(memberId(2));
    net.leader?.propose('alone');
    expect(net.member(2).appliedTexts).toContain('alone');
  });
});

test('a member that is removed stops campaigning once it knows', () => {
  const net = group(3, 3);
  proposeChange(net, { type: 'remove', id: memberId(3) });
  const { term } = net.member(1).raft.status;
  net.advance(10 * ELECTION_MS);
  expect(net.member(1).raft.status).toMatchObject({ role: 'leader', term });
});

test('a change committed on another’s word lets less be enough at once', () => {
  // Four voters; two are gone. Removing one of them shrinks the quorum from three to two.
  const net = group(4, 4);
  net.member(4).down = true;
  proposeChange(net, { type: 'remove', id: memberId(4) });
  net.member(3).down = true;
  net.leader?.propose('two suffice');
  net.advance(HEARTBEAT_MS);
  expect(net.member(1).appliedTexts).toContain('two suffice');
});
