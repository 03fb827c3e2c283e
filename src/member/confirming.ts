import { limits } from '../config.ts';
import type { PersistBatch, Role } from '../raft/output.ts';

/**
 * Which batches of rows the member wants to hear of when they are durable. Each time is an event of
 * its own, as dear as the writing. A leader counts itself, a candidate must not ask before its vote
 * is safe, so they wait for word. A follower that writes entries only owes the leader an
 * acknowledgement, which the disk's gate holds back as long as need be; for itself it asks now and
 * then, because the core keeps in memory what is not confirmed.
 */
export class Confirming {
  #unconfirmed = 0;

  confirms(batch: PersistBatch | null, role: Role): boolean {
    if (batch === null) return false;
    const onlyEntries = batch.hardState === null && batch.snapshot === null;
    const mayWait = role === 'follower' && onlyEntries;
    if (mayWait && ++this.#unconfirmed < limits.unconfirmedBatchesMax) return false;
    this.#unconfirmed = 0;
    return true;
  }
}
