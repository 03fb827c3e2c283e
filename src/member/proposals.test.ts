import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EtcdError } from '../api/error.ts';
import { limits } from '../config.ts';
import type { ApplyResult } from '../state/result.ts';
import { Proposals } from './proposals.ts';

/** What applying a command of that number did; only the number is looked at here. */
function result(sequence: number): ApplyResult {
  return { origin: { memberId: 'm', epoch: 1, sequence } } as ApplyResult;
}

const late = () => EtcdError.of('timeout');

/** Commands are encoded as "name#sequence", outcomes written down as "name:outcome". */
class Rig {
  readonly proposals = new Proposals();
  readonly outcomes: string[] = [];
  lastTaken = 0;

  add(name: string, deadlineMs = 1_000, bytes = 10): void {
    const encode = (sequence: number) => new TextEncoder().encode(`${name}#${sequence}`);
    this.proposals.add(encode, bytes, deadlineMs, ({ result: applied, error }) => {
      this.outcomes.push(`${name}:${applied ? applied.origin.sequence : error?.message}`);
    });
  }

  take(countMax = 99, bytesMax = 1_000): string[] {
    const taken = this.proposals
      .take(countMax, bytesMax)
      .map((bytes) => new TextDecoder().decode(bytes));
    this.lastTaken = taken.length;
    return taken;
  }

  applied(...sequences: number[]): void {
    for (const sequence of sequences) this.proposals.applied(result(sequence));
  }
}

describe('proposals', () => {
  it('are handed over once, in order, as many as asked for', () => {
    const rig = new Rig();
    for (const name of 'abcd') rig.add(name);
    expect(rig.take(3)).toEqual(['a#1', 'b#2', 'c#3']);
    expect(rig.proposals.queuedCount).toBe(1);
    expect(rig.take(3)).toEqual(['d#4']);
    expect(rig.take(3)).toEqual([]);
    rig.applied(1, 2, 3, 4);
    expect(rig.outcomes).toEqual(['a:1', 'b:2', 'c:3', 'd:4']);
    expect(rig.proposals.pendingCount).toBe(0);
  });

  it('are handed over again, all that were not applied, in the same order', () => {
    const rig = new Rig();
    for (const name of 'abc') rig.add(name);
    rig.take(2);
    rig.applied(1);
    rig.proposals.resend();
    rig.proposals.resend();
    rig.add('d');
    expect(rig.take()).toEqual(['b#2', 'c#3', 'd#4']);
  });

  it('are handed over by size too, one at least', () => {
    const rig = new Rig();
    for (const name of 'abc') rig.add(name, 1_000, 400);
    expect(rig.take(9, 800)).toEqual(['a#1', 'b#2']);
    expect(rig.take(9, 1)).toEqual(['c#3']);
  });

  it('are refused when they would be too large together, until others are done', () => {
    const rig = new Rig();
    rig.add('a', 1_000, limits.pendingProposalBytesMax);
    rig.add('b');
    expect(rig.outcomes).toEqual(['b:etcdserver: too many requests']);
    rig.take(1);
    rig.applied(1);
    rig.add('c');
    expect(rig.take()).toEqual(['c#2']);
  });

  it('that were given back are the next to be handed over', () => {
    const rig = new Rig();
    for (const name of 'abc') rig.add(name);
    expect(rig.take(3)).toEqual(['a#1', 'b#2', 'c#3']);
    rig.add('d');
    rig.proposals.putBack(2);
    expect(rig.take(3)).toEqual(['b#2', 'c#3', 'd#4']);
    rig.proposals.putBack(0);
    expect(rig.take(3)).toEqual([]);
    expect(() => rig.proposals.putBack(1)).toThrow('more is given back than was taken');
  });

  it('are handed over again when nothing was applied for so long', () => {
    const rig = new Rig();
    const at = (nowMs: number) => {
      rig.proposals.resendStalled(nowMs, 100);
      return rig.take();
    };
    for (const name of 'abc') rig.add(name);
    expect(at(1_000)).toEqual(['a#1', 'b#2', 'c#3']);
    expect(at(1_099)).toEqual([]);
    rig.applied(1);
    expect(at(1_099)).toEqual([]);
    expect(at(1_198)).toEqual([]);
    expect(at(1_199)).toEqual(['b#2', 'c#3']);
    expect(at(1_200)).toEqual([]);
    rig.applied(2, 3);
    expect(at(9_000)).toEqual([]);
  });

  it('are answered once when they are applied twice', () => {
    const rig = new Rig();
    rig.add('a');
    rig.take();
    rig.proposals.resend();
    rig.applied(1, 1);
    expect(rig.take()).toEqual([]);
    expect(rig.outcomes).toEqual(['a:1']);
  });

  it('start over under a new number when a later one was applied before them', () => {
    const rig = new Rig();
    for (const name of 'abcd') rig.add(name);
    rig.take();
    rig.applied(3);
    expect(rig.outcomes).toEqual(['c:3']);
    expect(rig.take()).toEqual(['a#5', 'b#6']);
    rig.applied(4, 5, 6);
    expect(rig.outcomes).toEqual(['c:3', 'd:4', 'a:5', 'b:6']);
  });

  it('start over once, even if they wait to be handed over again', () => {
    const rig = new Rig();
    for (const name of 'abc') rig.add(name);
    rig.take();
    rig.proposals.resend();
    rig.applied(3);
    expect(rig.take()).toEqual(['a#4', 'b#5']);
    rig.proposals.resend();
    expect(rig.take()).toEqual(['a#4', 'b#5']);
  });

  it('start over when the later one had run out of time', () => {
    const rig = new Rig();
    rig.add('a', 1_000);
    rig.add('b', 10);
    rig.take();
    rig.proposals.expire(10, late);
    rig.applied(2);
    expect(rig.take()).toEqual(['a#3']);
    expect(rig.outcomes).toEqual(['b:etcdserver: request timed out']);
  });

  it('whose fate a snapshot hides are refused, later ones stay', () => {
    const rig = new Rig();
    for (const name of 'abc') rig.add(name);
    rig.take();
    rig.proposals.installed(2);
    const lost = 'etcdserver: request timed out, possibly due to connection lost';
    expect(rig.outcomes).toEqual([`a:${lost}`, `b:${lost}`]);
    rig.proposals.resend();
    expect(rig.take()).toEqual(['c#3']);
  });

  it('run out of time, and are then not handed over', () => {
    const rig = new Rig();
    rig.add('a', 30);
    rig.add('b', 20);
    rig.add('c', 10);
    expect(rig.proposals.deadlineMs).toBe(10);
    rig.proposals.expire(9, late);
    expect(rig.outcomes).toEqual([]);
    rig.proposals.expire(20, late);
    expect(rig.outcomes).toEqual(['b', 'c'].map((name) => `${name}:${late().message}`));
    expect(rig.proposals.deadlineMs).toBe(30);
    expect(rig.take()).toEqual(['a#1']);
    rig.proposals.expire(30, late);
    expect(rig.proposals.deadlineMs).toBeNull();
    expect(rig.proposals.pendingCount).toBe(0);
  });

  it('are refused beyond the bound, and taken again below it', () => {
    const rig = new Rig();
    for (let i = 0; i < limits.pendingProposalsMax; i++) rig.add(`p${i}`);
    rig.add('over');
    expect(rig.outcomes).toEqual(['over:etcdserver: too many requests']);
    rig.take(1);
    rig.applied(1);
    rig.add('again');
    expect(rig.outcomes).toHaveLength(2);
  });

  it('are all refused in the end', () => {
    const rig = new Rig();
    rig.add('a');
    rig.take();
    rig.add('b');
    rig.proposals.failAll(EtcdError.of('stopped'));
    const stopped = 'etcdserver: server stopped';
    expect(rig.outcomes).toEqual([`a:${stopped}`, `b:${stopped}`]);
    expect(rig.take()).toEqual([]);
  });
});

type Step = 'add' | 'take' | 'giveBack' | 'resend' | 'apply' | 'drop' | 'expire';

/**
 * A leader that loses what it is given now and then, and a state machine that applies each number
 * once and in rising order only, as the real one does.
 */
function run(steps: readonly Step[]): { rig: Rig; names: string[]; appliedNames: string[] } {
  const rig = new Rig();
  const names: string[] = [];
  const appliedNames: string[] = [];
  let log: string[] = [];
  let lastApplied = 0;
  let nowMs = 0;
  const apply = (command: string | undefined) => {
    const [name = '', number = '0'] = command?.split('#') ?? [];
    const sequence = Number(number);
    if (sequence <= lastApplied) return;
    lastApplied = sequence;
    appliedNames.push(name);
    rig.applied(sequence);
  };
  for (const step of steps) {
    if (step === 'add') {
      names.push(`c${names.length}`);
      rig.add(`c${names.length - 1}`, nowMs + 5);
    } else if (step === 'take') log.push(...rig.take(3));
    else if (step === 'giveBack') {
      log.push(...rig.take(3).slice(0, 1));
      rig.proposals.putBack(rig.lastTaken > 1 ? rig.lastTaken - 1 : 0);
    } else if (step === 'resend') rig.proposals.resend();
    else if (step === 'apply') apply(log.shift());
    else if (step === 'drop') log = log.slice(1);
    else rig.proposals.expire(++nowMs, late);
  }
  while (rig.proposals.pendingCount > 0) {
    rig.proposals.resend();
    for (const command of rig.take()) apply(command);
  }
  return { rig, names, appliedNames };
}

it('each proposal is applied at most once and answered exactly once, whatever the leader loses', () => {
  const step = fc.constantFrom<Step>(
    'add',
    'add',
    'take',
    'giveBack',
    'resend',
    'apply',
    'drop',
    'expire',
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { rig, names, appliedNames } = run(steps);
      expect(new Set(appliedNames).size).toBe(appliedNames.length);
      const answered = rig.outcomes.map((outcome) => outcome.split(':')[0]);
      expect([...answered].sort()).toEqual([...names].sort());
      const succeeded = rig.outcomes.filter((each) => /:\d+$/.test(each));
      for (const each of succeeded) expect(appliedNames).toContain(each.split(':')[0]);
    }),
    { numRuns: 200 },
  );
});
