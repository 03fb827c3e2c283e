import { describe, expect, test } from 'vitest';
import { encodeConfChange } from './confchange.ts';
import { EntryKind } from './message.ts';
import { dataText, TestNetwork } from './testing.ts';
import { append, B, C, D, ME, ofType, Solo } from './testing_solo.ts';

const DATA = [new Uint8Array([1]), new Uint8Array([2])];

describe('proposals', () => {
  test('at the leader become entries, in order', () => {
    const solo = Solo.leader();
    const output = solo.member.propose('a', 'b');
    const entries = output.persist?.entries ?? [];
    expect(entries.map(({ data }) => dataText(data))).toEqual(['a', 'b']);
    expect(entries).toMatchObject([
      { index: 2, term: 1, kind: EntryKind.normal },
      { index: 3, term: 1 },
    ]);
  });

  test('at a follower go to the leader, in order', () => {
    const solo = new Solo({ term: 1 });
    solo.receive(append());
    solo.member.propose('a', 'b');
    const [sent] = ofType('propose', solo.sent());
    expect(sent?.to).toBe(B);
    expect(sent?.proposals.map(dataText)).toEqual(['a', 'b']);
  });

  test('without a leader are given back', () => {
    const solo = new Solo();
    solo.member.propose('a', 'b');
    expect(solo.member.dropped).toEqual(['a', 'b']);
    expect(solo.sent()).toEqual([]);
  });

  test('of other members are taken by the leader only', () => {
    const message = { type: 'propose' as const, from: B, to: ME, term: 1, epoch: 1 };
    const leader = Solo.leader();
    leader.receive({ ...message, proposals: DATA });
    expect(leader.status.lastIndex).toBe(3);
    const follower = new Solo({ term: 1 });
    expect(follower.receive({ ...message, proposals: DATA })).toEqual([]);
    expect(follower.status.lastIndex).toBe(0);
  });

  test('reach every member from every member', () => {
    const net = TestNetwork.ofVoters(3);
    net.elect(2);
    for (const n of [1, 2, 3]) net.member(n).propose(`from ${n}`);
    net.deliver();
    for (const { appliedTexts } of net.members.values()) {
      expect([...appliedTexts].sort()).toEqual(['from 1', 'from 2', 'from 3']);
    }
  });
});

describe('the budget of uncommitted bytes', () => {
  const options = { uncommittedBytesMax: 10 };

  test('refuses what exceeds it, from the first refusal on', () => {
    const solo = Solo.leader({ options });
    solo.member.propose('12345', '1234567', '1');
    expect(solo.member.dropped).toEqual(['1234567', '1']);
  });

  test('is free again when entries commit', () => {
    const solo = Solo.leader({ options });
    solo.member.propose('12345678');
    solo.member.propose('123');
    expect(solo.member.dropped).toEqual(['123']);
    solo.settle(B);
    solo.member.propose('456');
    expect(solo.member.dropped).toEqual(['123']);
  });

  test('lets a single larger proposal pass when nothing else waits', () => {
    const solo = Solo.leader({ options });
    solo.member.propose('x'.repeat(50));
    solo.member.propose('y');
    expect(solo.member.dropped).toEqual(['y']);
  });

  test('counts other members’ proposals too', () => {
    const solo = Solo.leader({ options });
    const message = { type: 'propose' as const, from: C, to: ME, term: 1, epoch: 1 };
    solo.receive({ ...message, proposals: [new Uint8Array(8), new Uint8Array(8)] });
    expect(solo.status.lastIndex).toBe(2);
  });
});

describe('changes of configuration', () => {
  const data = encodeConfChange({ transition: 'auto', changes: [{ type: 'addLearner', id: D }] });
  const proposals = [{ kind: EntryKind.confChange, data }];

  test('are not passed on by followers', () => {
    const solo = new Solo({ term: 1 });
    solo.receive(append());
    const output = solo.member.step({ type: 'propose', proposals });
    expect(output.dropped).toEqual([data]);
    expect(ofType('propose', solo.sent())).toEqual([]);
  });

  test('wait for the first commit of the term (erratum of 2015)', () => {
    const solo = Solo.leader();
    expect(solo.member.step({ type: 'propose', proposals }).dropped).toEqual([data]);
    solo.settle(B);
    expect(solo.member.step({ type: 'propose', proposals }).dropped).toEqual([]);
  });

  test('are refused while one is not applied (M2)', () => {
    const solo = Solo.leader();
    solo.settle(B);
    solo.member.step({ type: 'propose', proposals });
    expect(solo.member.step({ type: 'propose', proposals }).dropped).toEqual([data]);
    solo.settle(B);
    expect(solo.status.confState.learners).toEqual([D]);
    expect(solo.member.step({ type: 'propose', proposals }).dropped).toEqual([]);
  });

  test('that do not fit are refused', () => {
    const solo = Solo.leader();
    solo.settle(B);
    const leave = { kind: EntryKind.confChange, data: new Uint8Array() };
    const output = solo.member.step({ type: 'propose', proposals: [leave] });
    expect(output.dropped.length).toBe(1);
  });
});

test('messages for another member, or from ourselves, are not heard', () => {
  const solo = new Solo({ term: 1 });
  solo.receive(append({ to: C }), append({ from: ME }));
  expect(solo.status.leader).toBeNull();
});
