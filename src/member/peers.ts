import type { MemberId } from '../raft/message.ts';
import type { MetaTable } from '../storage/meta.ts';
import type { PeerIdentity } from '../transport/frame.ts';
import type { Roster } from './roster.ts';

/** Why a peer is not listened to. */
export interface Refusal {
  readonly status: 'refused' | 'removed';
  readonly reason: string;
}

/** etcd's words to a member that was removed. */
export const REMOVED = 'the member has been permanently removed from the cluster';

/**
 * Which database each member is known by. A member that votes or acknowledges promises to remember;
 * one whose database is gone would break that promise under the same id. So every member writes
 * down the database id of each peer at first contact, and a new member takes part only after others
 * have written down its own (see joining.ts): whoever lost its data is then refused, and has to be
 * removed and added again, under another id.
 *
 * Somebody who is not a member here may be one already where more is applied, and may even lead.
 */
export class KnownPeers {
  readonly #meta: MetaTable;
  readonly #clusterId: string;
  readonly #roster: Roster;
  readonly #known = new Map<MemberId, string>();

  constructor(meta: MetaTable, clusterId: string, roster: Roster) {
    this.#meta = meta;
    this.#clusterId = clusterId;
    this.#roster = roster;
  }

  /** Null when the sender is the member it says it is, as known here; else why it is refused. */
  check({ clusterId, memberId, databaseId }: PeerIdentity): Refusal | null {
    if (clusterId !== this.#clusterId) {
      const reason = `request cluster ID mismatch (got ${clusterId} want ${this.#clusterId})`;
      return { status: 'refused', reason };
    }
    const name = this.#roster.nameOf(memberId);
    if (name === null && this.#roster.isRemoved(memberId)) {
      return { status: 'removed', reason: REMOVED };
    }
    const known = this.#databaseOf(memberId);
    if (known === null) {
      this.#known.set(memberId, databaseId);
      this.#meta.set(`peer.${memberId}`, databaseId);
      return null;
    }
    if (known === databaseId) return null;
    const reason =
      `member ${name ?? ''} (${memberId}) has lost its data: the cluster knows it by database ` +
      `${known}, this one is ${databaseId}. It must not vote again under this id: ` +
      'remove the member and add it again';
    return { status: 'refused', reason };
  }

  #databaseOf(memberId: MemberId): string | null {
    const known = this.#known.get(memberId) ?? this.#meta.text(`peer.${memberId}`);
    if (known !== null) this.#known.set(memberId, known);
    return known;
  }
}
