import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { INTERNAL } from '../../../src/api/caller.ts';
import { RangeRequestSchema } from '../../../src/api/gen/rpc_pb.ts';
import { textOf } from '../../../src/lib/bytes.ts';
import { confStateOf } from '../../../src/member/conf_state.ts';
import type { MemberInfo } from '../../../src/state/member.ts';
import { changes, idOf, Rig } from './rig.ts';

/**
 * A cluster of three becomes another one of three: a learner is added, gets the state by a
 * snapshot, is promoted, and the leader is removed, with writes in between.
 */
function story(rig: Rig): void {
  rig.until('a leader', () => rig.leader !== null);
  for (let i = 0; i < 12; i++) rig.put(`before ${i}`, () => rig.leader);
  rig.change(changes.add(4, true), (members) => has(members, 4));
  rig.start(idOf(4));
  rig.put('with a learner', () => 2);
  rig.until('the learner catches up', () => {
    const { leader } = rig;
    if (leader === null) return false;
    const { progress, lastIndex } = rig.node(leader).status.raft;
    return (progress.get(idOf(4))?.match ?? 0) >= lastIndex;
  });
  rig.change(changes.promote(4), (members) => has(members, 4, false));
  rig.put('with four', () => 4);
  const leaver = rig.leader ?? 1;
  rig.change(changes.remove(leaver), (members) => !has(members, leaver));
  const others = [1, 2, 3, 4].filter((n) => n !== leaver);
  rig.until('another leader', () => rig.leader !== null && rig.leader !== leaver);
  for (const n of others) rig.put(`by ${n}`, () => n);
  rig.until('everybody has applied the same', () => {
    const [first, ...rest] = others.map((n) => rig.node(n).machine.appliedIndex);
    return rest.every((index) => index === first);
  });
  for (const n of others) checkMember(rig, n, leaver, others);
}

function checkMember(rig: Rig, n: number, leaver: number, others: readonly number[]): void {
  const { machine, status } = rig.node(n);
  const members = machine.membership.all;
  // One truth: the list that clients get is the configuration by which the core counts.
  expect(members.map(({ id }) => Number(id))).toEqual(others);
  expect(status.raft.confState).toEqual(confStateOf(members));
  expect(machine.membership.isRemoved(BigInt(leaver))).toBe(true);
  expect(machine.chain).toBe(rig.node(others[0] ?? 0).machine.chain);
  // Nothing that was acknowledged is lost, on whichever member.
  const { kvs } = machine.range(everything, INTERNAL);
  const keys = kvs.map(({ key }) => textOf(key));
  const written = [...rig.acknowledged].sort();
  expect(keys).toEqual(written);
}

const everything = create(RangeRequestSchema, {
  key: new Uint8Array(1),
  rangeEnd: new Uint8Array(1),
});

function has(members: readonly MemberInfo[], n: number, asLearner = true): boolean {
  const member = members.find(({ id }) => id === BigInt(n));
  return member !== undefined && (asLearner || !member.isLearner);
}

describe('a change of membership', () => {
  const calm = new Rig([1, 2, 3]);

  it('goes through', () => {
    story(calm);
    expect(calm.steps).toBeGreaterThan(200);
  });

  it.each([1, 2, 3, 4])('goes through whenever member %i crashes', (n) => {
    for (let step = n % 3; step < calm.steps; step += 3) {
      const rig = new Rig([1, 2, 3]);
      rig.crashes.set(step, idOf(n));
      try {
        story(rig);
      } catch (error) {
        throw new Error(`crash of m${n} before step ${step}`, { cause: error });
      }
    }
  });
});
