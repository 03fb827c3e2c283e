import type { Message } from '../raft/message.ts';
import type { Output } from '../raft/output.ts';

/**
 * Whether somebody will take this member's word for something that no row says: an acknowledgement
 * counts for a leader's reads, and so does the question of a follower; a read is served because
 * this is still the member, or still the leader. An instance that was replaced knows nothing of
 * what its successor has promised to others, so it must not give its word: whoever is about to
 * touches the storage first.
 *
 * What follows rows that are written in the same turn needs no such look: writing them is one.
 */
export function vouches({ persist, sendNow, sendAfterPersist, reads }: Output): boolean {
  if (reads.length > 0 || sendNow.some(isWord)) return true;
  return persist === null && sendAfterPersist.some(isWord);
}

function isWord({ type }: Message): boolean {
  return type === 'appendReply' || type === 'readReply' || type === 'read';
}
