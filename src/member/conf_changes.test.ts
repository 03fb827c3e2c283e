import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import { decodeCommand } from '../api/command.ts';
import { MemberAddSchema, MemberPromoteSchema } from '../api/gen/command_pb.ts';
import { limits } from '../config.ts';
import { must } from '../lib/assert.ts';
import { contextOf, decodeConfChange } from '../raft/confchange.ts';
import { StateMachine } from '../state/machine.ts';
import { beginState, type MembershipChange } from '../state/membership.ts';
import { MemoryStateStore } from '../state/memory_store.ts';
import { ConfChanges } from './conf_changes.ts';

const TERM = 3;
const add = (id: number, isLearner = false): MembershipChange => ({
  case: 'memberAdd',
  value: create(MemberAddSchema, {
    memberId: BigInt(id),
    peerUrls: [`do://m${id}`],
    isLearner,
  }),
});

/** A leader's changes, and what their clients were told. */
class Rig {
  readonly changes = new ConfChanges('a1', 7);
  readonly told: string[] = [];
  readonly machine: StateMachine;

  constructor() {
    const store = new MemoryStateStore();
    const founder = { id: 1n, name: 'm1', clientUrls: [], peerUrls: ['do://m1'], isLearner: false };
    beginState(store, { index: 1, term: 0 }, [founder]);
    this.machine = new StateMachine(store);
  }

  ask(name: string, request: MembershipChange, deadlineMs = 1_000): void {
    this.changes.add(request, 5, deadlineMs, ({ error, result }) => {
      this.told.push(`${name}: ${error?.message ?? result?.error?.message ?? 'done'}`);
    });
  }

  take(): Uint8Array | null {
    return this.changes.take(this.machine, TERM);
  }

  /** The entry is committed. */
  apply(data: Uint8Array): void {
    const index = this.machine.appliedIndex + 1;
    const entry = { index, term: TERM, data: contextOf(data), confChange: true };
    this.changes.applied(must(this.machine.apply(entry), 'a result'));
  }
}

describe('changes of membership', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = new Rig();
  });

  it('carry what the core makes of them, and what the members are to be', () => {
    rig.ask('a', add(4, true));
    const data = must(rig.take(), 'a change');
    const id = '0000000000000004';
    expect(decodeConfChange(data)).toEqual({
      transition: 'auto',
      changes: [{ type: 'addLearner', id }],
    });
    expect(decodeCommand(contextOf(data))).toMatchObject({
      memberId: 'a1',
      epoch: 7n,
      timeMs: 5n,
      internal: true,
      request: { case: 'memberAdd', value: { memberId: 4n, isLearner: true } },
    });
    rig.apply(data);
    expect(rig.told).toEqual(['a: done']);
    const value = create(MemberPromoteSchema, { memberId: 4n });
    rig.ask('b', { case: 'memberPromote', value });
    expect(decodeConfChange(must(rig.take(), 'a change')).changes).toEqual([
      { type: 'addVoter', id },
    ]);
  });

  it('are made one at a time, each checked against what the one before has left', () => {
    rig.ask('a', add(4));
    rig.ask('b', add(4));
    const first = must(rig.take(), 'a change');
    expect(rig.take()).toBeNull();
    rig.apply(first);
    expect(rig.take()).toBeNull();
    expect(rig.told).toEqual(['a: done', 'b: etcdserver: member ID already exist']);
    expect(rig.changes.pendingCount).toBe(0);
  });

  it('that the core does not take are handed over again, in their order', () => {
    rig.ask('a', add(4));
    rig.ask('b', add(5));
    const first = must(rig.take(), 'a change');
    expect(rig.changes.putBack(first)).toBe(true);
    expect(rig.changes.putBack(new Uint8Array(3))).toBe(false);
    expect(rig.take()).toBe(first);
  });

  it('are not proposed twice when leadership is lost, and answered if they were made', () => {
    rig.ask('a', add(4));
    rig.ask('b', add(5));
    const first = must(rig.take(), 'a change');
    rig.changes.leadershipLost();
    expect(rig.told).toEqual(['b: etcdserver: leader changed']);
    expect(rig.changes.take(rig.machine, TERM + 2)).toBeNull();
    rig.apply(first);
    expect(rig.told).toEqual(['b: etcdserver: leader changed', 'a: done']);
  });

  it('of an earlier term do not hold up those of a later one', () => {
    rig.ask('a', add(4));
    must(rig.take(), 'a change');
    rig.changes.leadershipLost();
    rig.ask('b', add(5));
    expect(rig.changes.take(rig.machine, TERM + 2)).not.toBeNull();
  });

  it('end with their deadline, with a snapshot, or with the member', () => {
    const late = () => new Error('late') as never;
    rig.ask('a', add(4), 10);
    rig.ask('b', add(5), 20);
    must(rig.take(), 'a change');
    expect(rig.changes.deadlineMs).toBe(10);
    rig.changes.expire(9, late);
    expect(rig.told).toEqual([]);
    rig.changes.expire(10, late);
    expect(rig.told).toEqual(['a: late']);
    must(rig.take(), 'a change');
    rig.changes.installed();
    expect(rig.told[1]).toMatch(/^b: .*possibly due to connection lost/);
    rig.ask('c', add(6));
    rig.changes.failAll(late());
    expect(rig.told[2]).toBe('c: late');
    expect(rig.changes.deadlineMs).toBeNull();
  });

  it('are bounded', () => {
    for (let i = 0; i < limits.pendingConfChangesMax; i++) rig.ask(`${i}`, add(10 + i));
    expect(rig.told).toEqual([]);
    rig.ask('more', add(99));
    expect(rig.told).toEqual(['more: etcdserver: too many requests']);
  });
});
