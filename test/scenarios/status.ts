import type { RaftStatus } from '../../src/raft/raft.ts';
import type { Instance } from './instance.ts';
import { idOf, numberOf, printConfState, words } from './print.ts';

/** What a core says about itself, on one line. */
export function statusLine({ label, raft }: Instance): string {
  const { role, term, leader, commit, applied, lastIndex, quiescent, progress } = raft.status;
  const peers = [...progress.keys()].map((id) => {
    const peer = numberOf(id);
    return `[${peer} ${printProgress(raft.status, peer)}]`;
  });
  return words(
    `${label} ${role} t${term}`,
    role === 'follower' && (leader === null ? 'of none' : `of ${numberOf(leader)}`),
    `commit ${commit} applied ${applied} last ${lastIndex}`,
    quiescent && 'asleep',
    ...peers,
  );
}

/** What a leader knows of a peer: `replicate match 3 next 4`. */
export function printProgress({ progress }: RaftStatus, peer: number): string {
  const known = progress.get(idOf(peer));
  if (!known) return 'unknown';
  return `${known.state} match ${known.match} next ${known.next}`;
}

/** The configuration in effect at a member. */
export function confLine({ label, raft }: Instance): string {
  return `${label} ${printConfState(raft.status.confState)}`;
}
