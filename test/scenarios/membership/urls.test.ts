import { create } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { MemberUpdateSchema } from '../../../src/api/gen/command_pb.ts';
import { confStateOf } from '../../../src/member/conf_state.ts';
import type { ProposalOutcome } from '../../../src/member/proposals.ts';
import { changes, Rig } from './rig.ts';

const TIMEOUT_MS = 3_000;

/**
 * Whoever moves says so in an ordinary command, and a member that is added is checked before it is
 * proposed: each may be in the log before the other is applied. What the core takes the state has
 * to take as well, or every member would count others than it has on record, and stop.
 */
it('a member that is added where another one moves to is added all the same', () => {
  const rig = new Rig([1, 2, 3]);
  rig.until('a leader', () => rig.leader !== null);
  rig.put('before', () => rig.leader);
  const node = rig.node(rig.leader ?? 1);
  const outcomes: ProposalOutcome[] = [];
  const done = (outcome: ProposalOutcome) => void outcomes.push(outcome);
  const value = create(MemberUpdateSchema, { memberId: 2n, peerUrls: ['do://m4'] });
  node.propose({ case: 'memberUpdate', value }, TIMEOUT_MS, done);
  node.proposeConfChange(changes.add(4, true), TIMEOUT_MS, done);
  rig.until('both are answered', () => outcomes.length === 2);
  expect(outcomes.map(({ error, result }) => (error ?? result.error)?.message)).toEqual([
    undefined,
    undefined,
  ]);
  rig.until('everybody has applied it', () =>
    [1, 2, 3].every((n) => rig.node(n).machine.membership.all.length === 4),
  );
  for (const n of [1, 2, 3]) {
    const { machine, status } = rig.node(n);
    expect(status.raft.confState).toEqual(confStateOf(machine.membership.all));
  }
});
