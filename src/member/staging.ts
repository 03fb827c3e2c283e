import type { InstallSnapshot } from '../raft/message.ts';
import { SnapshotError, SnapshotReceiver } from '../state/snapshot.ts';
import type { StateStore } from '../state/store.ts';

/** A snapshot on its way in: one at a time, in the store's second set of tables. */
export class Staging {
  readonly #store: StateStore;
  #transferId: string | null = null;
  #nextSequence = 0;
  #receiver: SnapshotReceiver;

  constructor(store: StateStore) {
    this.#store = store;
    this.#receiver = new SnapshotReceiver(store);
  }

  /**
   * Takes the next chunk; the first one of a transfer clears what an earlier one left. False: it
   * does not fit.
   */
  take(transferId: string, sequence: number, chunk: Uint8Array): boolean {
    if (sequence === 0) this.#begin(transferId);
    if (this.#transferId !== transferId || this.#nextSequence !== sequence) return false;
    this.#nextSequence++;
    try {
      this.#receiver.write(chunk);
      return true;
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
      this.#transferId = null;
      return false;
    }
  }

  /**
   * Whether all bytes of the state that the message announces are here and whole. To be asked in
   * the turn that installs it: a new transfer may have begun since the message arrived.
   */
  holds({ transferId, snapshot }: InstallSnapshot): boolean {
    if (this.#transferId !== transferId) return false;
    try {
      const { index, term } = this.#receiver.finish();
      return index === snapshot.index && term === snapshot.term;
    } catch (error) {
      if (error instanceof SnapshotError) return false;
      throw error;
    }
  }

  #begin(transferId: string): void {
    this.#store.stageClear();
    this.#transferId = transferId;
    this.#nextSequence = 0;
    this.#receiver = new SnapshotReceiver(this.#store);
  }
}
