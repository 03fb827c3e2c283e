import { describe, expect, test } from 'vitest';
import type { Entry } from './message.ts';
import { ELECTION_MS, entry } from './testing.ts';
import { append, B, logOfTerms, ME, Solo } from './testing_solo.ts';

function terms(solo: Solo): number[] {
  return solo.member.disk.log.map(({ term }) => term);
}

/** The append that carries `log` from after `prevIndex` on. */
function appendOf(log: readonly Entry[], prevIndex: number, term: number, commit = 0) {
  const prevTerm = log[prevIndex - 1]?.term ?? 0;
  return append({ term, prevIndex, prevTerm, entries: log.slice(prevIndex), commit });
}

describe('the consistency check (thesis §3.5)', () => {
  test('accepts what follows an entry it has', () => {
    const solo = new Solo({ log: logOfTerms(1, 1) });
    const message = append({ prevIndex: 2, prevTerm: 1, entries: [entry(3, 1)], round: 8 });
    const answer = { type: 'appendReply', to: B, accepted: true, index: 3, round: 8, epoch: 1 };
    expect(solo.ask(message)).toMatchObject(answer);
    expect(terms(solo)).toEqual([1, 1, 1]);
  });

  test.each([
    ['a gap', logOfTerms(1), 3, 1, { hintIndex: 1, hintTerm: 1 }],
    ['another term', logOfTerms(1, 1, 2, 2), 4, 3, { hintIndex: 4, hintTerm: 2 }],
    ['terms the leader never had', logOfTerms(1, 2, 2, 2), 4, 1, { hintIndex: 1, hintTerm: 1 }],
    ['nothing in common', logOfTerms(2, 2), 2, 1, { hintIndex: 0, hintTerm: 0 }],
  ])('refuses after %s, with a hint', (_name, log, prevIndex, prevTerm, hint) => {
    const solo = new Solo({ log, term: 4 });
    const answer = solo.ask(append({ term: 4, prevIndex, prevTerm, round: 5 }));
    expect(answer).toMatchObject({ accepted: false, index: prevIndex, round: 5, ...hint });
    expect(terms(solo)).toEqual(log.map(({ term }) => term));
  });

  test('hints never lead below the commit index, which is equal everywhere', () => {
    const solo = new Solo({ log: logOfTerms(1, 1, 3), commit: 2, term: 4 });
    const answer = solo.ask(append({ term: 4, prevIndex: 3, prevTerm: 0 }));
    expect(answer).toMatchObject({ accepted: false, hintIndex: 2 });
  });

  test('replaces a conflicting tail, and nothing before it', () => {
    const solo = new Solo({ log: logOfTerms(1, 2, 2, 2) });
    solo.receive(append({ term: 3, prevIndex: 1, prevTerm: 1, entries: [entry(2, 3)] }));
    expect(terms(solo)).toEqual([1, 3]);
    expect(solo.lastOutput.persist ?? solo.member.outputs.at(-2)?.persist).toMatchObject({
      entries: [{ index: 2, term: 3 }],
    });
  });

  test('an old append that arrives late does not cut off what came since', () => {
    const solo = new Solo({ log: logOfTerms(1, 1, 1, 1) });
    const answer = solo.ask(append({ prevIndex: 1, prevTerm: 1, entries: [entry(2, 1)] }));
    expect(answer).toMatchObject({ accepted: true, index: 2 });
    expect(terms(solo)).toEqual([1, 1, 1, 1]);
  });

  test('a repeated append is written once', () => {
    const solo = new Solo();
    const message = append({ entries: logOfTerms(1, 1) });
    solo.receive(message);
    const before = solo.member.outputs.length;
    expect(solo.ask(message)).toMatchObject({ accepted: true, index: 2 });
    const writes = solo.member.outputs.slice(before).filter(({ persist }) => persist !== null);
    expect(writes).toEqual([]);
  });

  test('appends that overlap what is committed are compared after it', () => {
    const solo = new Solo({ log: logOfTerms(1, 1, 1), commit: 2 });
    const answer = solo.ask(append({ entries: logOfTerms(1, 1, 1, 1) }));
    expect(answer).toMatchObject({ accepted: true, index: 4 });
    expect(terms(solo)).toEqual([1, 1, 1, 1]);
  });

  test('appends wholly before the commit index are acknowledged up to it', () => {
    const solo = new Solo({ log: logOfTerms(1, 1, 1), commit: 3 });
    const answer = solo.ask(append({ entries: logOfTerms(1) }));
    expect(answer).toMatchObject({ accepted: true, index: 3 });
  });

  test('two appends of one step become one write', () => {
    const solo = new Solo();
    const before = solo.member.outputs.length;
    const second = append({ prevIndex: 1, prevTerm: 1, entries: [entry(2, 1)] });
    const answers = solo.receive(append({ entries: logOfTerms(1) }), second);
    expect(answers).toMatchObject([{ index: 1 }, { index: 2 }]);
    const writes = solo.member.outputs.slice(before).flatMap(({ persist }) => persist ?? []);
    expect(writes.map(({ entries }) => entries.length)).toEqual([2]);
  });
});

describe('figure 7 of the paper: every follower is brought to the leader’s log', () => {
  const leader = logOfTerms(1, 1, 1, 4, 4, 5, 5, 6, 6, 6);
  test.each([
    ['a', [1, 1, 1, 4, 4, 5, 5, 6, 6]],
    ['b', [1, 1, 1, 4]],
    ['c', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
    ['d', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
    ['e', [1, 1, 1, 4, 4, 4, 4]],
    ['f', [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
  ])('%s', (_name, follower) => {
    const solo = new Solo({ log: logOfTerms(...follower), term: 7 });
    const full = [...leader, entry(11, 8)];
    let prevIndex = 10;
    for (let attempts = 1; ; attempts++) {
      expect(attempts).toBeLessThan(5);
      const answer = solo.ask(appendOf(full, prevIndex, 8));
      if (answer.type !== 'appendReply' || answer.accepted) break;
      // What a leader makes of the hint.
      prevIndex = Math.min(prevIndex - 1, answer.hintIndex);
      while (prevIndex > 0 && (full[prevIndex - 1]?.term ?? 0) > answer.hintTerm) prevIndex--;
    }
    expect(terms(solo)).toEqual(full.map(({ term }) => term));
  });
});

describe('the commit index (thesis figure 3.1, step 5)', () => {
  test.each([
    ['follows the leader', 2, 3, 2],
    ['stops at what was compared', 3, 9, 3],
    ['of an empty append stops at its anchor', 1, 3, 1],
  ])('%s', (_name, compared, commit, expected) => {
    const solo = new Solo({ log: logOfTerms(1, 1, 1) });
    const prevTerm = compared === 0 ? 0 : 1;
    solo.receive(append({ prevIndex: compared, prevTerm, commit }));
    expect(solo.status.commit).toBe(expected);
  });

  test('never falls', () => {
    const solo = new Solo({ log: logOfTerms(1, 1), commit: 2 });
    solo.receive(append({ prevIndex: 2, prevTerm: 1, commit: 1 }));
    expect(solo.status.commit).toBe(2);
  });

  test('a heartbeat brings it to a follower that missed it', () => {
    const solo = new Solo();
    solo.receive(append({ entries: logOfTerms(1, 1), commit: 0 }));
    solo.receive(append({ prevIndex: 2, prevTerm: 1, commit: 2 }));
    expect(solo.member.appliedTexts).toEqual(['1@1', '2@1']);
  });
});

describe('an acknowledgement (L9)', () => {
  test('leaves when its entries are durable', () => {
    const solo = new Solo();
    solo.member.autoPersist = false;
    expect(solo.receive(append({ entries: logOfTerms(1) }))).toEqual([]);
    // A repeated append changes nothing, but its answer promises the same: it waits as well.
    expect(solo.receive(append({ entries: logOfTerms(1) }))).toEqual([]);
    solo.member.confirm();
    expect(solo.sent()).toMatchObject([{ index: 1 }, { index: 1 }]);
  });

  test('of one step with the write is in the lane behind it', () => {
    const solo = new Solo();
    const output = solo.member.raft.step(
      [{ type: 'message', message: append({ entries: logOfTerms(1) }) }],
      0,
    );
    expect(output.sendNow).toEqual([]);
    expect(output.persist).toMatchObject({ entries: [{ index: 1 }], hardState: { term: 1 } });
    expect(output.sendAfterPersist).toMatchObject([{ type: 'appendReply', index: 1 }]);
  });
});

test('a leader’s word postpones the election', () => {
  const solo = new Solo({ term: 1 });
  solo.wait(ELECTION_MS / 2);
  solo.receive(append());
  expect(solo.member.deadlineMs).toBeGreaterThanOrEqual(1.5 * ELECTION_MS);
  expect(solo.status.leader).toBe(B);
});

describe('a commit notice', () => {
  const notice = (term: number, commit: number) =>
    ({ type: 'commit', from: B, to: ME, term, epoch: 1, commit }) as const;

  test('commits what is known to equal the log of this leader, no more, unanswered', () => {
    const solo = new Solo({ log: logOfTerms(1, 1, 1) });
    solo.receive(append({ prevIndex: 1, prevTerm: 1, entries: [entry(2, 1)] }));
    const before = solo.member.outputs.length;
    solo.receive(notice(1, 3));
    expect(solo.status.commit).toBe(2);
    const said = solo.member.outputs.slice(before);
    expect(said.flatMap((o) => [...o.sendNow, ...o.sendAfterPersist])).toEqual([]);
  });

  test('of a later leader commits nothing before that one has compared logs', () => {
    const solo = new Solo({ log: logOfTerms(1, 1) });
    solo.receive(append({ prevIndex: 2, prevTerm: 1, entries: [] }));
    solo.receive(notice(2, 2));
    expect(solo.status).toMatchObject({ term: 2, leader: B, commit: 0 });
  });
});
