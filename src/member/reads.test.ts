import { describe, expect, it } from 'vitest';
import { EtcdError } from '../api/error.ts';
import { limits } from '../config.ts';
import { Reads } from './reads.ts';

const late = () => EtcdError.of('timeout');

class Rig {
  readonly reads = new Reads();
  readonly outcomes: string[] = [];

  add(name: string, deadlineMs = 1_000): void {
    this.reads.add(deadlineMs, (error) => this.outcomes.push(`${name}:${error?.message ?? 'ok'}`));
  }
}

describe('reads', () => {
  it('that arrive while a question is under way share the next one', () => {
    const rig = new Rig();
    expect(rig.reads.ask()).toBeNull();
    rig.add('a');
    expect(rig.reads.due).toBe(true);
    expect(rig.reads.ask()).toBe(1);
    rig.add('b');
    rig.add('c');
    expect(rig.reads.due).toBe(false);
    expect(rig.reads.ask()).toBeNull();
    rig.reads.confirmed(1, 5);
    rig.reads.applied(5);
    // b and c came after the question was asked: its answer says nothing about them.
    expect(rig.outcomes).toEqual(['a:ok']);
    expect(rig.reads.ask()).toBe(2);
    rig.reads.confirmed(2, 5);
    rig.reads.applied(5);
    expect(rig.outcomes).toEqual(['a:ok', 'b:ok', 'c:ok']);
    expect(rig.reads.pendingCount).toBe(0);
  });

  it('wait until their index is applied', () => {
    const rig = new Rig();
    rig.add('a');
    rig.reads.ask();
    rig.reads.confirmed(1, 7);
    rig.add('b');
    rig.reads.ask();
    rig.reads.confirmed(2, 9);
    rig.reads.applied(6);
    expect(rig.outcomes).toEqual([]);
    rig.reads.applied(8);
    expect(rig.outcomes).toEqual(['a:ok']);
    rig.reads.applied(9);
    expect(rig.outcomes).toEqual(['a:ok', 'b:ok']);
  });

  it('are asked again, under another number, when they could not be confirmed', () => {
    const rig = new Rig();
    rig.add('a');
    rig.reads.ask();
    rig.add('b');
    rig.reads.failed(1);
    expect(rig.reads.ask()).toBe(2);
    rig.reads.confirmed(1, 1);
    rig.reads.applied(99);
    expect(rig.outcomes).toEqual([]);
    rig.reads.failed(1);
    rig.reads.confirmed(2, 1);
    rig.reads.applied(99);
    expect(rig.outcomes).toEqual(['a:ok', 'b:ok']);
  });

  it('run out of time wherever they wait', () => {
    const rig = new Rig();
    rig.add('confirmed', 10);
    rig.reads.ask();
    rig.reads.confirmed(1, 100);
    rig.add('asked', 20);
    rig.add('asked too', 40);
    rig.reads.ask();
    rig.add('waiting', 30);
    expect(rig.reads.deadlineMs).toBe(10);
    const outcomeAt = (nowMs: number) => {
      rig.reads.expire(nowMs, late);
      return rig.outcomes.splice(0);
    };
    expect(outcomeAt(9)).toEqual([]);
    expect(outcomeAt(10)).toEqual([`confirmed:${late().message}`]);
    expect(rig.reads.deadlineMs).toBe(20);
    expect(outcomeAt(20)).toEqual([`asked:${late().message}`]);
    expect(outcomeAt(30)).toEqual([`waiting:${late().message}`]);
    rig.reads.confirmed(2, 100);
    rig.reads.applied(100);
    expect(rig.outcomes).toEqual(['asked too:ok']);
    expect(rig.reads.pendingCount).toBe(0);
    expect(outcomeAt(40)).toEqual(['asked too:ok']);
    expect(rig.reads.deadlineMs).toBeNull();
  });

  it('are refused beyond the bound, and taken again below it', () => {
    const rig = new Rig();
    for (let i = 0; i < limits.pendingReadsMax; i++) rig.add(`r${i}`, i === 0 ? 1 : 1_000);
    rig.add('over');
    expect(rig.outcomes).toEqual(['over:etcdserver: too many requests']);
    rig.reads.expire(1, late);
    rig.add('again');
    expect(rig.outcomes).toHaveLength(2);
    expect(rig.reads.pendingCount).toBe(limits.pendingReadsMax);
  });

  it('are all refused in the end, once', () => {
    const rig = new Rig();
    for (const name of ['confirmed', 'asked', 'waiting']) {
      rig.add(name);
      if (name !== 'waiting') rig.reads.ask();
      if (name === 'confirmed') rig.reads.confirmed(1, 100);
    }
    rig.reads.failAll(EtcdError.of('stopped'));
    rig.reads.confirmed(2, 1);
    rig.reads.applied(100);
    expect(rig.outcomes.sort()).toEqual(
      ['asked', 'confirmed', 'waiting'].map((name) => `${name}:etcdserver: server stopped`),
    );
    expect(rig.reads.pendingCount).toBe(0);
  });
});
