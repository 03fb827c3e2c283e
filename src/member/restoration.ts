import { messageOf } from '../lib/error.ts';
import { becomeNewCluster } from '../state/restore.ts';
import { SnapshotReceiver } from '../state/snapshot.ts';
import type { SqlDisk } from '../storage/disk.ts';

/**
 * A member that is not started yet gets the state that its cluster is to begin with. It is given
 * that by whoever prepares its database (`npm run restore`), by a call that no client can make.
 */
export class Restoration {
  readonly #disk: SqlDisk;
  readonly #receiver: SnapshotReceiver;
  readonly #atomically: (body: () => void) => void;

  constructor(disk: SqlDisk, atomically: (body: () => void) => void) {
    this.#disk = disk;
    this.#atomically = atomically;
    disk.state.stageClear();
    this.#receiver = new SnapshotReceiver(disk.state);
  }

  /** The next chunk; null after the last one. @returns null, or why it is not taken */
  take(chunk: Uint8Array | null): string | null {
    const { meta, state } = this.#disk;
    if (meta.number('joined') !== null || this.#disk.load().snapshot.index !== 0) {
      return 'the member has data already';
    }
    try {
      if (chunk !== null) this.#receiver.write(chunk);
      else {
        this.#receiver.finish();
        this.#atomically(() => {
          state.stageInstall();
          becomeNewCluster(state);
        });
      }
      return null;
    } catch (error) {
      return messageOf(error);
    }
  }
}
