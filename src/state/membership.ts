import { EtcdError } from '../api/error.ts';
import type { Command } from '../api/gen/command_pb.ts';
import { assert } from '../lib/assert.ts';
import { NO_BUGS } from './bugs.ts';
import { GuardedStore } from './guarded_store.ts';
import type { MemberInfo } from './member.ts';
import { encodeMeta, META_KEY, readMeta } from './meta.ts';
import { evaluate, Parts } from './parts.ts';
import type { SnapshotPlace } from './snapshot.ts';
import type { StateStore } from './store.ts';

type Request = Command['request'];

/** A change of who is a member, or of who votes: it changes the core's configuration as well. */
export type MembershipChange = Extract<
  Request,
  { case: 'memberAdd' | 'memberRemove' | 'memberPromote' }
>;

export function isMembershipChange(request: Request): request is MembershipChange {
  const { case: name } = request;
  return name === 'memberAdd' || name === 'memberRemove' || name === 'memberPromote';
}

/** A command after which the members, or what is known of them, may be others. */
export function isAboutMembers(request: Request): boolean {
  const { case: name } = request;
  return name === 'memberPublish' || name === 'memberUpdate' || isMembershipChange(request);
}

/** Tries the change and takes it back. Null: it may be proposed. */
export function membershipError(parts: Parts, request: Request): EtcdError | null {
  assert(parts.journal.length === 0, 'a change is tried inside a command');
  try {
    evaluate(parts, request);
    if (request.case === 'memberAdd') parts.members.checkAdded(request.value);
    return null;
  } catch (error) {
    if (error instanceof EtcdError) return error;
    throw error;
  } finally {
    parts.rollback();
  }
}

/**
 * The first rows of a new cluster: its members, as of a place that comes before every entry. A
 * member that joins later begins without rows, and gets these with a snapshot.
 */
export function beginState(
  store: StateStore,
  { index, term }: SnapshotPlace,
  members: readonly MemberInfo[],
): void {
  const guarded = new GuardedStore(store);
  const meta = readMeta(guarded);
  assert(meta.appliedIndex === 0, 'a state that has begun begins anew');
  const parts = new Parts(guarded, meta, NO_BUGS);
  for (const member of members) parts.members.begin(member);
  parts.commit();
  parts.flush();
  const value = encodeMeta({ ...meta, appliedIndex: index, appliedTerm: term });
  guarded.put('meta', [{ key: META_KEY, value }]);
}
