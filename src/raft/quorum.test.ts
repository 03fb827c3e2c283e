import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  majorityReached,
  majoritySize,
  majorityVote,
  quorumReached,
  quorumVote,
} from './quorum.ts';
import { subsets } from './testing.ts';

const IDS = ['a', 'b', 'c', 'd', 'e'];

/** All functions from the ids to the values. */
function assignments<T>(ids: readonly string[], values: readonly T[]): Map<string, T>[] {
  let result: Map<string, T>[] = [new Map()];
  for (const id of ids) {
    result = result.flatMap((map) => values.map((value) => new Map(map).set(id, value)));
  }
  return result;
}

/** The definition: the largest value that a majority has reached, found by trying. */
function reachedByDefinition(ids: readonly string[], acked: Map<string, number>): number {
  const values = [...acked.values()].sort((a, b) => b - a);
  const holds = (value: number) => ids.filter((id) => (acked.get(id) ?? 0) >= value).length;
  return values.find((value) => holds(value) >= majoritySize(ids.length)) ?? 0;
}

describe('majority', () => {
  test.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
    [7, 4],
  ])('of %i is %i', (voters, size) => {
    expect(majoritySize(voters)).toBe(size);
  });

  test('any two majorities of the same voters intersect', () => {
    for (let count = 1; count <= 5; count++) {
      const ids = IDS.slice(0, count);
      const majorities = subsets(ids).filter((set) => set.length >= majoritySize(count));
      for (const one of majorities) {
        for (const other of majorities) expect(one.some((id) => other.includes(id))).toBe(true);
      }
    }
  });

  test('commits what its definition says, for every assignment up to five voters', () => {
    for (let count = 1; count <= 5; count++) {
      const ids = IDS.slice(0, count);
      for (const acked of assignments(ids, [0, 1, 2, 3])) {
        const index = majorityReached(ids, (id) => acked.get(id) ?? 0);
        expect(index).toBe(reachedByDefinition(ids, acked));
      }
    }
  });

  test('polls are won, lost or open exactly as the missing answers allow', () => {
    for (let count = 1; count <= 5; count++) {
      const ids = IDS.slice(0, count);
      for (const votes of assignments(ids, [true, false, undefined])) {
        const outcomes = new Set<boolean>();
        const open = ids.filter((id) => votes.get(id) === undefined);
        for (const rest of assignments(open, [true, false])) {
          const granted = ids.filter((id) => votes.get(id) ?? rest.get(id)).length;
          outcomes.add(granted >= majoritySize(count));
        }
        const expected = outcomes.size === 2 ? 'pending' : outcomes.has(true) ? 'won' : 'lost';
        expect(majorityVote(ids, (id) => votes.get(id))).toBe(expected);
      }
    }
  });

  test('an empty half agrees to everything', () => {
    expect(majorityReached([], () => 0)).toBe(Number.POSITIVE_INFINITY);
    expect(majorityVote([], () => undefined)).toBe('won');
  });
});

describe('joint quorum', () => {
  const halves = subsets(IDS.slice(0, 4)).filter((set) => set.length > 0);

  test('commits the lesser of both halves, for every pair of halves of four members', () => {
    for (const voters of halves) {
      for (const votersOutgoing of halves) {
        for (const acked of assignments(IDS.slice(0, 4), [0, 1, 2])) {
          const reached = (id: string) => acked.get(id) ?? 0;
          const index = quorumReached({ voters, votersOutgoing }, reached);
          const one = reachedByDefinition(voters, acked);
          expect(index).toBe(Math.min(one, reachedByDefinition(votersOutgoing, acked)));
        }
      }
    }
  });

  test('wins only in both halves and is lost when one half is lost', () => {
    for (const voters of halves) {
      for (const votersOutgoing of halves) {
        for (const votes of assignments(IDS.slice(0, 4), [true, false, undefined])) {
          const vote = (id: string) => votes.get(id);
          const results = [majorityVote(voters, vote), majorityVote(votersOutgoing, vote)];
          const joint = quorumVote({ voters, votersOutgoing }, vote);
          if (results.includes('lost')) expect(joint).toBe('lost');
          else expect(joint).toBe(results.includes('pending') ? 'pending' : 'won');
        }
      }
    }
  });

  test('without an outgoing half it is the plain majority', () => {
    const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { minLength: 1 });
    fc.assert(
      fc.property(ids, fc.array(fc.nat(100)), (voters, values) => {
        const reached = (id: string) => values[voters.indexOf(id)] ?? 0;
        const plain = majorityReached(voters, reached);
        expect(quorumReached({ voters, votersOutgoing: [] }, reached)).toBe(plain);
        expect(quorumReached({ voters, votersOutgoing: voters }, reached)).toBe(plain);
      }),
    );
  });

  test('never falls when a member reaches more', () => {
    const nine = fc.uniqueArray(fc.nat(8), { minLength: 1 });
    const values = fc.array(fc.nat(50), { minLength: 9, maxLength: 9 });
    fc.assert(
      fc.property(nine, nine, values, fc.nat(8), fc.nat(20), (one, other, acked, who, more) => {
        const voters = one.map(String);
        const votersOutgoing = other.map(String);
        const before = quorumReached({ voters, votersOutgoing }, (id) => acked[Number(id)] ?? 0);
        const raised = acked.with(who, (acked[who] ?? 0) + more);
        const after = quorumReached({ voters, votersOutgoing }, (id) => raised[Number(id)] ?? 0);
        expect(after).toBeGreaterThanOrEqual(before);
      }),
    );
  });
});
