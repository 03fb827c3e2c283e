import { describe, expect, test } from 'vitest';
import { votersOnly } from './membership.ts';
import { Raft } from './raft.ts';
import {
  ELECTION_MS,
  HEARTBEAT_MS,
  MemoryDisk,
  memberId,
  TestNetwork,
  testOptions,
} from './testing.ts';
import { append, B, C, logOfTerms, ME, Solo } from './testing_solo.ts';

describe('a group of members', () => {
  test.each([1, 2, 3, 4, 5, 7])('%i: elects by time alone, replicates and applies', (size) => {
    const net = TestNetwork.ofVoters(size);
    net.advance(5 * ELECTION_MS);
    expect(net.leader).not.toBeNull();
    net.leader?.propose('a', 'b');
    net.deliver();
    for (const { appliedTexts } of net.members.values()) expect(appliedTexts).toEqual(['a', 'b']);
  });

  test('is the same with every run of the same seed', () => {
    const run = () => {
      const net = TestNetwork.ofVoters(3);
      net.advance(2 * ELECTION_MS);
      net.leader?.propose('a');
      net.advance(ELECTION_MS);
      return [...net.members.values()].map(({ outputs }) => outputs);
    };
    expect(run()).toEqual(run());
  });

  test('of which all restart together goes on with what it had', () => {
    const net = TestNetwork.ofVoters(3);
    net.elect(1).propose('a');
    net.deliver();
    for (const member of net.members.values()) member.restart();
    net.queue.length = 0;
    net.advance(5 * ELECTION_MS);
    net.leader?.propose('b');
    net.deliver();
    for (const { appliedTexts } of net.members.values()) expect(appliedTexts.at(-1)).toBe('b');
    expect(net.leader?.raft.status.commit).toBe(4);
  });

  test('does not lose what it acknowledged when a leader crashes before its disk has it', () => {
    const net = TestNetwork.ofVoters(3);
    const first = net.elect(1);
    first.autoPersist = false;
    first.propose('a');
    net.deliver();
    expect(first.appliedTexts).toEqual(['a']);
    first.restart();
    first.autoPersist = true;
    net.advance(5 * ELECTION_MS);
    net.leader?.propose('b');
    net.deliver();
    for (const n of [2, 3]) expect(net.member(n).appliedTexts).toEqual(['a', 'b']);
    expect(first.raft.status.commit).toBe(net.leader?.raft.status.commit);
  });
});

describe('output', () => {
  test('of an idle step is empty', () => {
    const solo = new Solo({ term: 1 });
    solo.member.step({ type: 'tick' });
    const output = solo.member.step({ type: 'tick' });
    expect(output).toEqual({
      sendNow: [],
      persist: null,
      sendAfterPersist: [],
      apply: [],
      reads: [],
      readFailures: [],
      dropped: [],
      snapshotsWanted: [],
      softState: null,
      deadlineMs: solo.member.deadlineMs,
      more: false,
    });
  });

  test('says role, leader and term when they change', () => {
    const solo = new Solo({ term: 1 });
    expect(solo.member.step().softState).toEqual({ role: 'follower', leader: null, term: 1 });
    solo.receive(append());
    const states = solo.member.outputs.flatMap(({ softState }) => softState ?? []);
    expect(states.at(-1)).toEqual({ role: 'follower', leader: B, term: 1 });
    solo.receive(append());
    expect(solo.lastOutput.softState).toBeNull();
  });

  test('numbers its batches one by one, hard state only when it changed', () => {
    const solo = Solo.leader();
    solo.member.propose('a');
    solo.member.propose('b');
    const batches = solo.member.outputs.flatMap(({ persist }) => persist ?? []);
    expect(batches.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
    expect(batches.map(({ hardState }) => hardState?.term ?? null)).toEqual([1, null, null, null]);
  });

  test('hands out committed entries in bounded portions, and says when there are more', () => {
    const options = testOptions(ME, { applyBytesMax: 1 });
    const disk = new MemoryDisk(votersOnly([ME, B, C]));
    disk.log = logOfTerms(1, 1, 1);
    disk.commit = 3;
    const raft = new Raft(options, disk.initial(), disk, 0);
    const outputs = [raft.step([], 0), raft.step([], 0), raft.step([], 0), raft.step([], 0)];
    const portions = outputs.map(({ apply }) => apply.map(({ index }) => index));
    expect(portions).toEqual([[1], [2], [3], []]);
    expect(outputs.map(({ more }) => more)).toEqual([true, true, false, false]);
  });

  test('hands out again, after a restart, what was not applied durably', () => {
    const solo = new Solo({ log: logOfTerms(1, 1, 1), commit: 3, applied: 1 });
    solo.member.step();
    expect(solo.member.appliedTexts).toEqual(['2@1', '3@1']);
  });
});

describe('deadlines', () => {
  test('of a follower: the election; of a leader: the heartbeat', () => {
    const solo = new Solo({ term: 1 });
    solo.member.step();
    expect(solo.member.deadlineMs).toBeGreaterThanOrEqual(ELECTION_MS);
    const leader = Solo.leader();
    expect(leader.member.deadlineMs).toBe(leader.network.nowMs + HEARTBEAT_MS);
  });

  test('a tick before them changes nothing', () => {
    const solo = new Solo({ term: 1 });
    solo.member.step();
    const due = solo.member.deadlineMs ?? 0;
    solo.network.nowMs = due - 1;
    solo.member.step({ type: 'tick' });
    expect([solo.status.role, solo.member.deadlineMs]).toEqual(['follower', due]);
    solo.network.nowMs = due;
    solo.member.step({ type: 'tick' });
    expect(solo.status.role).toBe('preCandidate');
  });
});

describe('misuse stops the member', () => {
  test('time that goes back', () => {
    const solo = new Solo();
    solo.member.raft.step([], 10);
    expect(() => solo.member.raft.step([], 9)).toThrow(/time went back/);
  });

  test('the confirmation of a batch that was never handed out', () => {
    const solo = new Solo();
    expect(() => solo.member.step({ type: 'persisted', sequence: 1 })).toThrow(/never handed out/);
  });

  test('entries reported applied that were never handed out', () => {
    const solo = new Solo();
    expect(() => solo.member.step({ type: 'applied', index: 1 })).toThrow(/not handed out/);
  });

  test('options that cannot work', () => {
    const disk = new MemoryDisk(votersOnly([ME]));
    const start = (fields: object) => new Raft(testOptions(ME, fields), disk.initial(), disk, 0);
    expect(() => start({ heartbeatIntervalMs: ELECTION_MS })).toThrow(/heartbeat/);
    expect(() => start({ inflightAppendsMax: 0 })).toThrow(/window/);
  });

  test('a configuration that cannot be', () => {
    const disk = new MemoryDisk({ ...votersOnly([ME]), learners: [ME] });
    expect(() => new Raft(testOptions(ME), disk.initial(), disk, 0)).toThrow(
      /a learner is a voter/,
    );
  });
});

test('status shows the member and its peers', () => {
  const net = TestNetwork.ofVoters(3);
  net.elect(1).propose('a');
  net.deliver();
  expect(net.member(1).raft.status).toEqual({
    id: memberId(1),
    role: 'leader',
    term: 1,
    vote: memberId(1),
    leader: memberId(1),
    epoch: 1,
    commit: 2,
    applied: 2,
    lastIndex: 2,
    firstIndex: 1,
    durableIndex: 2,
    confState: votersOnly([1, 2, 3].map(memberId)),
    quiescent: false,
    progress: new Map(
      [2, 3].map((n) => [
        memberId(n),
        { match: 2, next: 3, state: 'replicate', inflight: 0, heardMs: 0 },
      ]),
    ),
  });
  expect(net.member(2).raft.status.progress.size).toBe(0);
});
