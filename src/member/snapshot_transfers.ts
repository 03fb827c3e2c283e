import type { MemberId } from '../raft/message.ts';
import type { SnapshotSource } from '../transport/peer_links.ts';
import type { NodeHost } from './host.ts';

/** Snapshots on their way to peers, each transfer under an id that no other has. */
export class SnapshotTransfers {
  readonly #host: Pick<NodeHost, 'links' | 'log'>;
  /** Of this instance of this member. */
  readonly #prefix: string;
  #count = 0;
  readonly #last = new Map<MemberId, string>();

  constructor(memberId: MemberId, epoch: number, host: Pick<NodeHost, 'links' | 'log'>) {
    this.#prefix = `${memberId}.${epoch}`;
    this.#host = host;
  }

  begin(to: MemberId, snapshot: Omit<SnapshotSource, 'transferId'>): void {
    const transferId = `${this.#prefix}.${++this.#count}`;
    this.#host.log('info', `sending a snapshot of index ${snapshot.meta.index} to ${to}`);
    this.#last.set(to, transferId);
    this.#host.links.sendSnapshot(to, { ...snapshot, transferId });
  }

  /** It has ended. @returns false for all but the last one to that peer: they say nothing of it */
  ended(to: MemberId, transferId: string): boolean {
    if (this.#last.get(to) !== transferId) return false;
    return this.#last.delete(to);
  }
}
