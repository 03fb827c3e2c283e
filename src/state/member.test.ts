import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import { encodeCommand } from '../api/command.ts';
import {
  MemberAddSchema,
  MemberPromoteSchema,
  MemberRemoveSchema,
  MemberUpdateSchema,
} from '../api/gen/command_pb.ts';
import { must } from '../lib/assert.ts';
import { StateMachine } from './machine.ts';
import { beginState, type MembershipChange } from './membership.ts';
import { MemoryStateStore } from './memory_store.ts';

const urlOf = (id: number): string => `http://10.0.0.${id}:2380`;

const add = (id: number, isLearner = false, peerUrls = [urlOf(id)]): MembershipChange => ({
  case: 'memberAdd',
  value: create(MemberAddSchema, { memberId: BigInt(id), peerUrls, isLearner }),
});
const remove = (id: number): MembershipChange => ({
  case: 'memberRemove',
  value: create(MemberRemoveSchema, { memberId: BigInt(id) }),
});
const promote = (id: number): MembershipChange => ({
  case: 'memberPromote',
  value: create(MemberPromoteSchema, { memberId: BigInt(id) }),
});

/** A state machine of a cluster with these founders, and the entries that reach it. */
class Rig {
  readonly store = new MemoryStateStore();
  machine: StateMachine;
  #sequence = 0;

  constructor(founders: readonly number[]) {
    const members = founders.map((id) => ({
      id: BigInt(id),
      name: `m${id}`,
      clientUrls: [],
      peerUrls: [urlOf(id)],
      isLearner: false,
    }));
    beginState(this.store, { index: 1, term: 0 }, members);
    this.machine = new StateMachine(this.store);
  }

  restart(): void {
    this.machine.flush();
    this.machine = new StateMachine(this.store);
  }

  /** The error of the entry, or null. */
  apply(request: Parameters<typeof encodeCommand>[0]['request'], confChange = true) {
    const origin = { memberId: 'm1', epoch: 1n, sequence: BigInt(++this.#sequence) };
    const data = encodeCommand({ ...origin, internal: true, ...(request ? { request } : {}) });
    const index = this.machine.appliedIndex + 1;
    const result = this.machine.apply({ index, term: 1, data, confChange });
    return must(result, 'a result').error?.message ?? null;
  }

  update(id: number, peerUrls: string[]) {
    const value = create(MemberUpdateSchema, { memberId: BigInt(id), peerUrls });
    return this.apply({ case: 'memberUpdate', value }, false);
  }

  get members(): string {
    const text = this.machine.membership.all.map(
      ({ id, isLearner }) => `${id}${isLearner ? '?' : ''}`,
    );
    return text.join(' ');
  }
}

describe('the members', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = new Rig([1, 2, 3]);
  });

  it('are the founders before the first entry', () => {
    expect(rig.machine.appliedIndex).toBe(1);
    expect(rig.machine.revision).toBe(1);
    expect(rig.members).toBe('1 2 3');
    expect(rig.machine.membership.confIndex).toBe(0);
  });

  it('come, are promoted, go, and outlive a restart', () => {
    expect(rig.apply(add(4, true))).toBeNull();
    expect(rig.members).toBe('1 2 3 4?');
    expect(rig.apply(promote(4))).toBeNull();
    expect(rig.apply(remove(2))).toBeNull();
    rig.restart();
    expect(rig.members).toBe('1 3 4');
    expect(rig.machine.membership.isRemoved(2n)).toBe(true);
    expect(rig.machine.membership.isRemoved(1n)).toBe(false);
    expect(rig.machine.membership.confIndex).toBe(4);
    expect(rig.machine.revision).toBe(1);
  });

  it.each<[string, MembershipChange]>([
    ['etcdserver: member ID already exist', add(2, false, ['http://a:1'])],
    ['etcdserver: member not found', remove(9)],
    ['etcdserver: member not found', promote(9)],
    ['etcdserver: can only promote a learner member', promote(1)],
  ])('refuse with %s, for the one who asks and for the one who applies', (message, change) => {
    expect(rig.machine.membershipError(change)?.message).toBe(message);
    expect(rig.apply(change)).toBe(message);
    expect(rig.members).toBe('1 2 3');
    expect(rig.machine.membership.confIndex).toBe(0);
  });

  it.each<[string, MembershipChange]>([
    ['etcdserver: Peer URLs already exists', add(5, false, [urlOf(9), urlOf(3)])],
    ['etcdserver: too many learner members in cluster', add(5, true)],
  ])('refuse with %s whoever asks, and take what the core has taken', (message, change) => {
    rig.apply(add(4, true));
    expect(rig.machine.membershipError(change)?.message).toBe(message);
    expect(rig.machine.membershipError(add(5))).toBeNull();
    expect(rig.apply(change)).toBeNull();
    expect(rig.members).toMatch(/^1 2 3 4\? 5/);
  });

  it('keep a voter: the last one cannot go, a learner beside it can', () => {
    const alone = new Rig([1]);
    alone.apply(add(2, true));
    expect(alone.apply(remove(1))).toMatch(/not enough started members/);
    expect(alone.apply(remove(2))).toBeNull();
    expect(alone.members).toBe('1');
  });

  it('never come back under an old id, but to an old URL', () => {
    rig.apply(remove(3));
    expect(rig.apply(add(3))).toBe('etcdserver: member ID already exist');
    expect(rig.apply(remove(3))).toBe('etcdserver: member not found');
    expect(rig.apply(add(4, false, [urlOf(3)]))).toBeNull();
    expect(rig.members).toBe('1 2 4');
  });

  it('move, and stay what they are', () => {
    rig.apply(add(4, true));
    expect(rig.update(4, ['http://moved:1'])).toBeNull();
    expect(rig.members).toBe('1 2 3 4?');
    expect(rig.update(4, [urlOf(1)])).toBe('etcdserver: Peer URLs already exists');
    expect(rig.update(9, ['http://x:1'])).toBe('etcdserver: member not found');
    expect(rig.machine.membership.all.at(-1)?.peerUrls).toEqual(['http://moved:1']);
  });

  it('are not tried for good', () => {
    expect(rig.machine.membershipError(add(4))).toBeNull();
    expect(rig.members).toBe('1 2 3');
  });

  it('change by entries of the configuration, and those change nothing else', () => {
    expect(rig.apply(add(4), false)).toBe('etcdserver: not leader');
    expect(rig.members).toBe('1 2 3');
    const value = create(MemberUpdateSchema, { memberId: 1n, peerUrls: ['http://x:1'] });
    expect(rig.apply({ case: 'memberUpdate', value }, true)).toBe('etcdserver: not leader');
  });
});
