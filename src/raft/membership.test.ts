import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeConfChange, encodeConfChange, LEAVE_JOINT } from './confchange.ts';
import {
  type ConfChange,
  ConfChangeError,
  changeConf,
  confStateFault,
  enterJoint,
  isJoint,
  leaveJoint,
  type MemberChange,
  membersOf,
  simpleChange,
  votersOnly,
} from './membership.ts';
import type { ConfState } from './message.ts';
import { majoritySize } from './quorum.ts';
import { subsets } from './testing.ts';

/** 'v1 l2 r3 v4': add voter 1, add learner 2, remove 3, add voter 4. */
function changes(text: string): MemberChange[] {
  const types = { v: 'addVoter', l: 'addLearner', r: 'remove' } as const;
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => ({ type: types[word[0] as 'v' | 'l' | 'r'], id: word.slice(1) }));
}

/** '(1 2 3)&(1 2) learners (4) next (5) auto', leaving out what is empty. */
function show(config: ConfState): string {
  const list = (ids: readonly string[]) => `(${ids.join(' ')})`;
  let text = list(config.voters);
  if (isJoint(config)) text += `&${list(config.votersOutgoing)}`;
  if (config.learners.length > 0) text += ` learners ${list(config.learners)}`;
  if (config.learnersNext.length > 0) text += ` next ${list(config.learnersNext)}`;
  return config.autoLeave ? `${text} auto` : text;
}

function config(voters: string, learners = ''): ConfState {
  const ids = (text: string) => text.split(' ').filter((id) => id !== '');
  return { ...votersOnly(ids(voters)), learners: ids(learners) };
}

describe('a simple change', () => {
  test.each([
    ['adds a voter', '1 2', '', 'v3', '(1 2 3)'],
    ['adds a voter that is one', '1 2', '', 'v2', '(1 2)'],
    ['adds a learner', '1', '', 'l2', '(1) learners (2)'],
    ['adds a learner that is one', '1', '2', 'l2', '(1) learners (2)'],
    ['promotes a learner', '1', '2', 'v2', '(1 2)'],
    ['demotes a voter', '1 2', '', 'l2', '(1) learners (2)'],
    ['removes a voter', '1 2 3', '', 'r3', '(1 2)'],
    ['removes a learner', '1', '2 3', 'r3', '(1) learners (2)'],
    ['removes nobody', '1 2', '', 'r9', '(1 2)'],
    ['may change learners in any number', '1', '2', 'l3 r2 l4', '(1) learners (3 4)'],
    ['takes the last word on a member', '1 2', '', 'v3 r3', '(1 2)'],
    ['does nothing', '1 2', '', '', '(1 2)'],
  ])('%s', (_name, voters, learners, text, expected) => {
    expect(show(simpleChange(config(voters, learners), changes(text)))).toBe(expected);
  });

  test.each([
    ['two voters added', '1', 'v2 v3'],
    ['two voters removed', '1 2 3', 'r2 r3'],
    ['one voter replaced', '1 2 3', 'r3 v4'],
    ['the only voter removed', '1', 'r1'],
    ['the only voter demoted', '1', 'l1'],
  ])('refuses: %s', (_name, voters, text) => {
    expect(() => simpleChange(config(voters), changes(text))).toThrow(ConfChangeError);
  });

  test('is refused in a joint phase', () => {
    const joint = enterJoint(config('1'), changes('v2'), false);
    expect(() => simpleChange(joint, changes('v3'))).toThrow(/joint/);
  });
});

describe('a joint change', () => {
  test.each([
    ['adds several voters', '1', '', 'v2 v3', '(1 2 3)&(1)', '(1 2 3)'],
    ['replaces a voter', '1 2 3', '', 'r3 v4', '(1 2 4)&(1 2 3)', '(1 2 4)'],
    ['replaces everybody', '1 2', '', 'r1 r2 v3 v4', '(3 4)&(1 2)', '(3 4)'],
    ['adds a learner at once', '1', '', 'l2', '(1)&(1) learners (2)', '(1) learners (2)'],
    ['demotes a voter only at the end', '1 2', '', 'l2', '(1)&(1 2) next (2)', '(1) learners (2)'],
    ['demotes twice', '1 2', '', 'l2 l2', '(1)&(1 2) next (2)', '(1) learners (2)'],
    ['promotes and demotes', '1 2', '3', 'l2 v3', '(1 3)&(1 2) next (2)', '(1 3) learners (2)'],
    ['demotes and promotes the same', '1 2', '', 'l2 v2', '(1 2)&(1 2)', '(1 2)'],
    ['demotes and removes the same', '1 2', '', 'l2 r2', '(1)&(1 2)', '(1)'],
    ['removes and adds as learner', '1 2', '', 'r2 l2', '(1)&(1 2) next (2)', '(1) learners (2)'],
    ['changes nothing', '1 2', '', '', '(1 2)&(1 2)', '(1 2)'],
  ])('%s', (_name, voters, learners, text, joint, left) => {
    const entered = enterJoint(config(voters, learners), changes(text), false);
    expect(show(entered)).toBe(joint);
    expect(show(leaveJoint(entered))).toBe(left);
  });

  test('cannot be entered twice, nor left when not entered', () => {
    const joint = enterJoint(config('1'), changes('v2'), true);
    expect(() => enterJoint(joint, changes('v3'), true)).toThrow(/already joint/);
    expect(() => leaveJoint(config('1'))).toThrow(/not joint/);
  });

  test('cannot remove every voter', () => {
    expect(() => enterJoint(config('1 2'), changes('r1 r2'), true)).toThrow(/every voter/);
  });

  test('names every member once, outgoing ones included', () => {
    const joint = enterJoint(config('1 2', '5'), changes('l2 v3'), false);
    expect(membersOf(joint)).toEqual(['1', '2', '3', '5']);
  });
});

describe('the transition of a proposal', () => {
  const cases: [string, ConfChange['transition'], string, string][] = [
    ['one change needs no joint phase', 'auto', 'v4', '(1 2 3 4)'],
    ['several enter one that ends by itself', 'auto', 'v4 v5', '(1 2 3 4 5)&(1 2 3) auto'],
    ['implicit: joint even for one', 'jointImplicit', 'v4', '(1 2 3 4)&(1 2 3) auto'],
    ['explicit: until told', 'jointExplicit', 'v4', '(1 2 3 4)&(1 2 3)'],
  ];
  test.each(cases)('%s', (_name, transition, text, expected) => {
    const change = { transition, changes: changes(text) };
    expect(show(changeConf(config('1 2 3'), change))).toBe(expected);
  });

  test('an empty automatic one leaves', () => {
    const joint = enterJoint(config('1'), changes('v2 v3'), true);
    expect(show(changeConf(joint, { transition: 'auto', changes: [] }))).toBe('(1 2 3)');
  });
});

const anyChanges = fc.array(
  fc.record({
    type: fc.constantFrom('addVoter' as const, 'addLearner' as const, 'remove' as const),
    id: fc.constantFrom('1', '2', '3', '4', '5'),
  }),
  { maxLength: 6 },
);

/** Every set of members that decides in a configuration. */
function quorums({ voters, votersOutgoing }: ConfState): string[][] {
  const ids = [...new Set([...voters, ...votersOutgoing])];
  const decides = (set: string[], half: readonly string[]) =>
    half.length === 0 || half.filter((id) => set.includes(id)).length >= majoritySize(half.length);
  return subsets(ids).filter((set) => decides(set, voters) && decides(set, votersOutgoing));
}

function allIntersect(one: ConfState, other: ConfState): boolean {
  const others = quorums(other);
  return quorums(one).every((a) => others.every((b) => a.some((id) => b.includes(id))));
}

/** Random walks through configurations, as proposals that fit. */
function walk(steps: readonly ConfChange[]): ConfState[] {
  const seen = [config('1 2 3')];
  for (const step of steps) {
    try {
      seen.push(changeConf(seen[seen.length - 1] as ConfState, step));
    } catch (error) {
      if (!(error instanceof ConfChangeError)) throw error;
    }
  }
  return seen;
}

const anyChange = fc.record({
  transition: fc.constantFrom('auto' as const, 'jointImplicit' as const, 'jointExplicit' as const),
  changes: anyChanges,
});

describe('the algebra', () => {
  test('keeps every configuration well formed', () => {
    fc.assert(
      fc.property(fc.array(anyChange, { maxLength: 8 }), (steps) => {
        for (const state of walk(steps)) expect(confStateFault(state)).toBeNull();
      }),
    );
  });

  test('M1: quorums of consecutive configurations intersect', () => {
    fc.assert(
      fc.property(fc.array(anyChange, { maxLength: 6 }), (steps) => {
        const seen = walk(steps);
        for (let i = 1; i < seen.length; i++) {
          expect(allIntersect(seen[i - 1] as ConfState, seen[i] as ConfState)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('is idempotent: repeating the changes of a joint phase changes nothing', () => {
    fc.assert(
      fc.property(anyChanges, (list) => {
        const once = tryEnter(list);
        const twice = tryEnter([...list, ...list]);
        if (once === null || twice === null) return;
        expect(show(leaveJoint(twice))).toBe(show(leaveJoint(once)));
      }),
    );
  });

  test('a joint phase reaches what simple steps reach one by one', () => {
    fc.assert(
      fc.property(anyChanges, (list) => {
        const joint = tryEnter(list);
        if (joint === null) return;
        let stepwise = config('1 2 3', '4');
        try {
          for (const change of list) stepwise = simpleChange(stepwise, [change]);
        } catch {
          return; // The order went through a configuration without voters.
        }
        expect(show(leaveJoint(joint))).toBe(show(stepwise));
      }),
    );
  });

  function tryEnter(list: MemberChange[]): ConfState | null {
    try {
      return enterJoint(config('1 2 3', '4'), list, false);
    } catch (error) {
      if (error instanceof ConfChangeError) return null;
      throw error;
    }
  }
});

describe('a malformed configuration is named', () => {
  const good = config('1 2', '3');
  test.each([
    ['twice', { ...good, voters: ['1', '1'] }],
    ['a learner is a voter', { ...good, learners: ['1'] }],
    ['not an outgoing voter', { ...good, learnersNext: ['9'] }],
    ['another part', { ...good, votersOutgoing: ['1'], learnersNext: ['1'] }],
    ['autoLeave', { ...good, autoLeave: true }],
  ])('%s', (fault, state) => {
    expect(confStateFault(state)).toContain(fault);
  });
});

describe('the bytes of a change', () => {
  test('come back as they went', () => {
    fc.assert(
      fc.property(anyChange, (change) => {
        expect(decodeConfChange(encodeConfChange(change))).toEqual(change);
      }),
    );
  });

  test('leaving the joint phase needs none', () => {
    expect(decodeConfChange(LEAVE_JOINT)).toEqual({ transition: 'auto', changes: [] });
  });

  test.each([
    ['transition', [7, 0]],
    ['type', [0, 1, 9, 1, 97]],
    ['trailing', [0, 0, 0]],
    ['cut short', [0, 1]],
  ])('unknown or broken ones are refused: %s', (fault, bytes) => {
    expect(() => decodeConfChange(new Uint8Array(bytes))).toThrow(fault);
  });
});
