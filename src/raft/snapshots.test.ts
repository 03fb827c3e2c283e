import { describe, expect, test } from 'vitest';
import { votersOnly } from './membership.ts';
import { ELECTION_MS, entry, HEARTBEAT_MS, memberId, TestNetwork } from './testing.ts';
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
} from './testing_solo.ts';

describe('installing', () => {
  test('replaces log, state and configuration, and is acknowledged when durable', () => {
    const solo = new Solo({ log: logOfTerms(1, 1), commit: 1, term: 3 });
    solo.receive(append({ term: 3 }));
    solo.member.autoPersist = false;
    const confState = { ...votersOnly([ME, B]), learners: [D] };
    const snapshot = { index: 10, term: 2, confState };
    const sent = solo.receive(installSnapshot(10, 2, { term: 3, snapshot, round: 6 }));
    expect(sent).toEqual([]);
    expect(solo.lastOutput).toMatchObject({
      persist: { snapshot: { meta: snapshot, transferId: 'x' }, entries: [] },
      apply: [],
    });
    expect(solo.status).toMatchObject({ commit: 10, applied: 10, firstIndex: 11, confState });
    solo.member.confirm();
    expect(solo.sent()).toMatchObject([{ accepted: true, index: 10, round: 6 }]);
  });

  test('goes on with the entries that follow, in the same write', () => {
    const solo = new Solo({ term: 2 });
    const next = append({ term: 2, prevIndex: 10, prevTerm: 2, entries: [entry(11, 2)] });
    const answers = solo.receive(installSnapshot(10, 2, { term: 2 }), next);
    expect(answers).toMatchObject([{ index: 10 }, { index: 11 }]);
    const writes = solo.member.outputs.flatMap(({ persist }) => persist ?? []);
    const whole = writes.filter(({ snapshot }) => snapshot !== null);
    expect(whole).toMatchObject([{ snapshot: { meta: { index: 10 } }, entries: [{ index: 11 }] }]);
  });

  test('hands out nothing that the snapshot holds', () => {
    const solo = new Solo({ term: 1 });
    const entries = append({ entries: logOfTerms(1, 1), commit: 2 });
    solo.receive(entries, installSnapshot(5, 1));
    expect(solo.member.applied).toEqual([]);
    expect(solo.status.applied).toBe(5);
  });

  test('behind the commit index is only acknowledged, at the commit index', () => {
    const solo = new Solo({ log: logOfTerms(1, 1, 1), commit: 3 });
    expect(solo.ask(installSnapshot(2, 1))).toMatchObject({ accepted: true, index: 3 });
    expect(solo.member.outputs.every(({ persist }) => persist?.snapshot == null)).toBe(true);
  });

  test('of what the log holds already commits instead', () => {
    const solo = new Solo({ log: logOfTerms(1, 1, 1), commit: 1 });
    expect(solo.ask(installSnapshot(2, 1))).toMatchObject({ accepted: true, index: 2 });
    expect(solo.status).toMatchObject({ commit: 2, firstIndex: 1, lastIndex: 3 });
  });

  test('at an index where the log differs drops the log', () => {
    const solo = new Solo({ log: logOfTerms(1, 1, 1), term: 2 });
    solo.receive(installSnapshot(2, 2, { term: 2 }));
    expect(solo.status).toMatchObject({ commit: 2, firstIndex: 3, lastIndex: 2 });
  });

  test('survives a crash only with its write', () => {
    const solo = new Solo({ term: 1 });
    solo.member.autoPersist = false;
    solo.receive(installSnapshot(9, 1));
    solo.member.restart();
    expect(solo.status.commit).toBe(0);
    solo.receive(installSnapshot(9, 1));
    solo.member.confirm();
    solo.member.restart();
    expect(solo.status).toMatchObject({ commit: 9, applied: 9, firstIndex: 10 });
  });
});

describe('sending', () => {
  /** A leader whose peer C needs what was compacted. */
  function behind(): Solo {
    const solo = Solo.leader({ log: logOfTerms(1, 1, 1, 1) });
    solo.settle(B);
    solo.member.step({ type: 'compact', index: 4 });
    solo.receive(
      appendReply({ from: C, term: 2, accepted: false, index: 4, hintIndex: 1, hintTerm: 1 }),
    );
    return solo;
  }

  function status(ok: boolean) {
    const transfer = { index: 5, term: 2, transferId: 't' };
    return { type: 'snapshotStatus' as const, to: C, ok, ...transfer };
  }

  const toC = (messages: ReturnType<Solo['sent']>) => messages.filter(({ to }) => to === C);

  test('is asked for once, and entries pause', () => {
    const solo = behind();
    expect(solo.member.snapshotsWanted).toEqual([C]);
    solo.member.propose('a');
    expect(toC(solo.sent())).toEqual([]);
    const heartbeats = ofType('append', toC(solo.wait(3 * HEARTBEAT_MS)));
    expect(heartbeats.every(({ prevIndex, entries }) => prevIndex + entries.length === 0)).toBe(
      true,
    );
    expect(solo.member.snapshotsWanted).toEqual([C]);
  });

  test('ends with the order to install, repeated until it is answered', () => {
    const solo = behind();
    solo.member.step(status(true));
    const order = { type: 'snapshot', transferId: 't', snapshot: { index: 5, term: 2 } };
    expect(toC(solo.sent())).toMatchObject([order]);
    const [again] = ofType('snapshot', solo.wait(HEARTBEAT_MS));
    expect(again).toMatchObject({ ...order, to: C });
    solo.receive(appendReply({ from: C, term: 2, index: 5, round: again?.round ?? 0 }));
    expect(solo.status.progress.get(C)).toMatchObject({ state: 'replicate', match: 5, next: 6 });
  });

  test('names the configuration of the snapshot’s own index', () => {
    const confState = { ...votersOnly([ME, B, C]), learners: [D] };
    const solo = Solo.leader({ confState, log: logOfTerms(1) });
    solo.settle(B);
    solo.member.step({ type: 'compact', index: 1 });
    solo.receive(appendReply({ from: C, term: 2, accepted: false, index: 1, hintIndex: 0 }));
    const transfer = { to: C, ok: true, index: 2, term: 2, transferId: 't' };
    solo.member.step({ type: 'snapshotStatus', ...transfer });
    expect(ofType('snapshot', solo.sent())).toMatchObject([{ snapshot: { confState } }]);
  });

  test('is tried again at the next heartbeat when it failed', () => {
    const solo = behind();
    solo.member.step(status(false));
    expect(solo.member.snapshotsWanted).toEqual([C]);
    solo.wait(HEARTBEAT_MS);
    expect(solo.member.snapshotsWanted).toEqual([C, C]);
  });

  test('is tried again when the order to install is never followed', () => {
    const solo = behind();
    solo.member.step(status(true));
    for (let i = 0; i < 4; i++) {
      solo.wait(ELECTION_MS / 3);
      solo.receive(appendReply({ from: B, term: 2, index: 5 }));
    }
    expect(solo.member.snapshotsWanted).toEqual([C, C]);
  });

  test('is not needed any more when an answer shows that the peer caught up', () => {
    const solo = behind();
    solo.receive(appendReply({ from: C, term: 2, index: 5 }));
    expect(solo.status.progress.get(C)?.state).toBe('replicate');
  });

  test('a report about a peer that needs none is ignored', () => {
    const solo = behind();
    solo.receive(appendReply({ from: C, term: 2, index: 5 }));
    solo.member.step(status(true));
    expect(ofType('snapshot', solo.sent())).toEqual([]);
  });
});

test('a member that was away for a compaction is brought back', () => {
  const net = TestNetwork.ofVoters(3);
  const leader = net.elect(1);
  net.isolate(3);
  leader.propose('a', 'b', 'c');
  net.deliver();
  leader.step({ type: 'compact', index: 4 });
  net.isolate();
  net.advance(HEARTBEAT_MS * 3);
  expect(leader.snapshotsWanted).toEqual([memberId(3)]);
  const to = memberId(3);
  leader.step({ type: 'snapshotStatus', to, ok: true, index: 4, term: 1, transferId: 't' });
  leader.propose('d');
  net.advance(HEARTBEAT_MS);
  expect(net.member(3).raft.status).toMatchObject({ applied: 5, firstIndex: 5 });
  expect(net.member(3).appliedTexts).toEqual(['d']);
});
