import { describe, expect, it } from 'vitest';
import type { PeerStatus, RaftStatus } from '../raft/raft.ts';
import type { MemberInfo } from '../state/member.ts';
import { confStateOf } from './conf_state.ts';
import { idOfNumber } from './identity.ts';
import { mayAdd, mayLiveAt, mayPromote, mayRemove, successorOf } from './reconfiguration.ts';

const ELECTION_MS = 1_000;
const NOW_MS = 10_000;
const LAST_INDEX = 100;

/**
 * A leader, member 1, and others as a word: `2` is well, `2-` has not started, `2!` is not heard,
 * `2?` learns.
 */
function view(others: string, strict = true, match = LAST_INDEX) {
  const words = ['1', ...others.split(' ').filter(Boolean)];
  const all: MemberInfo[] = words.map((word) => ({
    id: BigInt(Number.parseInt(word, 10)),
    name: word.includes('-') ? '' : `m${word}`,
    clientUrls: [],
    peerUrls: [],
    isLearner: word.includes('?'),
  }));
  const progress = new Map<string, PeerStatus>();
  for (const word of words.slice(1)) {
    const silent = word.includes('!') || word.includes('-');
    progress.set(idOfNumber(BigInt(Number.parseInt(word, 10))), {
      match: word.includes('-') ? 0 : match,
      next: match + 1,
      state: 'replicate',
      inflight: 0,
      heardMs: silent ? NOW_MS - ELECTION_MS : NOW_MS - 1,
    });
  }
  const confState = confStateOf(all);
  const raft = { id: idOfNumber(1n), progress, lastIndex: LAST_INDEX, confState };
  return {
    node: { status: { raft: raft as unknown as RaftStatus } },
    machine: { membership: { all } },
    settings: { strictReconfigCheck: strict, electionTimeoutMs: ELECTION_MS },
    clock: { nowMs: () => NOW_MS },
  } as unknown as Parameters<typeof mayAdd>[0];
}

const UNHEALTHY = 'etcdserver: unhealthy cluster';
const TOO_FEW = 'etcdserver: re-configuration failed due to not enough started members';

/** What the check says, or null. */
function said(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe('a member may live', () => {
  const OBJECTS_ONLY = /all members are objects of this deployment/;
  const NO_OBJECTS = /all members have deployments of their own/;
  it.each<[string, string, RegExp | null]>([
    ['do://m1 do://m2', 'do://m4', null],
    ['do://m1 do://m2', 'do://m4?location=weur', null],
    ['do://m1 do://m2', 'http://a:1', OBJECTS_ONLY],
    ['do://m1', 'do://m4 https://a:1', OBJECTS_ONLY],
    ['http://a:1 https://b:1', 'http://c:1', null],
    ['http://a:1 https://b:1', 'https://c:1 http://d:1', null],
    ['http://a:1', 'do://m4', NO_OBJECTS],
    ['http://a:1', 'http://c:1 do://m4', NO_OBJECTS],
    ['http://a:1 do://m2', 'do://m4', null],
    ['http://a:1 do://m2', 'http://c:1', null],
  ])('beside %s at %s: %s', (present, urls, expected) => {
    const all = present.split(' ').map((url) => ({ peerUrls: [url] }));
    const host = { machine: { membership: { all } } };
    const check = () =>
      mayLiveAt(host as unknown as Parameters<typeof mayLiveAt>[0], urls.split(' '));
    if (expected === null) expect(said(check)).toBeNull();
    else expect(said(check)).toMatch(expected);
  });
});

describe('a member may be added', () => {
  it.each<[string, string, string | null]>([
    ['to one that is alone', '', null],
    ['when all are well', '2 3', null],
    ['when one of three is down: the rest are a quorum of four', '2 3 4!', null],
    ['not when those that are heard are no quorum afterwards', '2 3!', UNHEALTHY],
    ['not when one of two is down', '2!', UNHEALTHY],
    ['not when too few have started', '2 3-', TOO_FEW],
    ['not beside one that has not started', '2-', TOO_FEW],
  ])('%s', (_, others, expected) => {
    expect(said(() => mayAdd(view(others), false))).toBe(expected);
  });

  it('as a learner it needs no started ones, and as many that are heard', () => {
    expect(said(() => mayAdd(view('2 3'), true))).toBeNull();
    expect(said(() => mayAdd(view('2 3!'), true))).toBe(UNHEALTHY);
  });

  it('in any case, when nobody is to be protected', () => {
    expect(said(() => mayAdd(view('2! 3-', false), false))).toBeNull();
  });
});

describe('a member may be removed', () => {
  it.each<[string, string, bigint, string | null]>([
    ['when all are well', '2 3', 3n, null],
    ['when it is down itself', '2 3!', 3n, null],
    ['when it has never started', '2 3-', 3n, null],
    ['the leader too', '2 3', 1n, null],
    ['a learner, whatever the others do', '2! 3! 4?', 4n, null],
    ['not when those that stay would be no quorum', '2 3!', 2n, UNHEALTHY],
    ['not when those that stay have not started', '2 3- 4-', 2n, TOO_FEW],
    ['not the last one', '', 1n, TOO_FEW],
  ])('%s', (_, others, id, expected) => {
    expect(said(() => mayRemove(view(others), id))).toBe(expected);
  });

  it('who is nobody is for the state to refuse', () => {
    expect(said(() => mayRemove(view('2 3!'), 9n))).toBeNull();
  });
});

describe('a learner may be promoted', () => {
  const promote = (others: string, match: number, strict = true) =>
    said(() => mayPromote(view(others, strict, match), 4n));

  it('when it has nine tenths of what the leader has', () => {
    expect(promote('2 3 4?', 90)).toBeNull();
    expect(promote('2 3 4?', 89)).toMatch(/in sync with leader$/);
    expect(promote('2 3 4?', 89, false)).toMatch(/in sync with leader$/);
  });

  it('not a voter, nor nobody', () => {
    expect(promote('2 3 4', 100)).toBe('etcdserver: can only promote a learner member');
    expect(promote('2 3', 100)).toBe('etcdserver: member not found');
  });

  it('not when too few have started', () => {
    expect(promote('2- 3- 4?', 100)).toBe(TOO_FEW);
    expect(promote('2- 3- 4?', 100, false)).toBeNull();
  });
});

describe('who takes over from a leader that goes', () => {
  const peer = (match: number, heardMs: number): PeerStatus => {
    return { match, next: match + 1, state: 'replicate', inflight: 0, heardMs };
  };
  const successor = (peers: Record<string, PeerStatus>, learners: string[] = []) => {
    const voters = Object.keys(peers).filter((id) => !learners.includes(id));
    const rest = { votersOutgoing: [], learnersNext: [], autoLeave: false };
    const confState = { voters, learners, ...rest };
    const progress = new Map(Object.entries(peers));
    return successorOf({ progress, confState } as unknown as RaftStatus);
  };

  it('is the voter that has most, and of those the one heard last', () => {
    expect(successor({ a: peer(5, 1), b: peer(9, 1), c: peer(7, 9) })).toBe('b');
    expect(successor({ a: peer(9, 1), b: peer(9, 3), c: peer(9, 2) })).toBe('b');
    expect(successor({ a: peer(5, 1), b: peer(9, 1) }, ['b'])).toBe('a');
  });

  it('is nobody when there is no other voter', () => {
    expect(successor({})).toBeNull();
    expect(successor({ b: peer(9, 1) }, ['b'])).toBeNull();
  });
});
