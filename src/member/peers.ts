import type { MemberId } from '../raft/message.ts';
import type { MetaTable } from '../storage/meta.ts';
import type { PeerIdentity } from '../transport/frame.ts';
import type { ClusterIdentity } from './identity.ts';

/**
 * Which database each member is known by. A member that votes or acknowledges promises to remember;
 * one whose database is gone would break that promise under the same id. So every member writes
 * down the database id of each peer at first contact, and a new member takes part only after all
 * others have written down its own (see joining.ts): whoever lost its data is then refused by
 * everyone, and has to be removed and added again.
 */
export class KnownPeers {
  readonly #meta: MetaTable;
  readonly #identity: ClusterIdentity;
  readonly #known = new Map<MemberId, string>();

  constructor(meta: MetaTable, identity: ClusterIdentity) {
    this.#meta = meta;
    this.#identity = identity;
    for (const { id } of identity.members) {
      const databaseId = meta.text(`peer.${id}`);
      if (databaseId !== null) this.#known.set(id, databaseId);
    }
  }

  /** Null when the sender is the member it says it is, as known here; else why it is refused. */
  check({ clusterId, memberId, databaseId }: PeerIdentity): string | null {
    const member = this.#identity.members.find(({ id }) => id === memberId);
    if (clusterId !== this.#identity.clusterId) {
      return `request cluster ID mismatch (got ${clusterId} want ${this.#identity.clusterId})`;
    }
    if (!member) return `${memberId} is not a member of this cluster`;
    const known = this.#known.get(memberId);
    if (known === undefined) {
      this.#known.set(memberId, databaseId);
      this.#meta.set(`peer.${memberId}`, databaseId);
      return null;
    }
    if (known === databaseId) return null;
    return (
      `member ${member.name} (${memberId}) has lost its data: the cluster knows it by database ` +
      `${known}, this one is ${databaseId}. It must not vote again under this id: ` +
      'remove the member and add it again'
    );
  }
}
