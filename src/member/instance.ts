import type { ConfState } from '../raft/message.ts';
import type { LoadedLog, MemberDisk } from '../storage/member_disk.ts';

/**
 * What the rows say when an instance of a member starts, the first rows of a new member included.
 * The epoch is this instance's: one more than the last, so that an older instance, which the
 * platform may leave running for a while, is known as such.
 */
export function startInstance(disk: MemberDisk, initialConfState: ConfState): LoadedLog {
  let loaded = disk.load();
  if (loaded.snapshot.confState.voters.length === 0) {
    disk.bootstrap(initialConfState);
    loaded = disk.load();
  }
  const epoch = loaded.epoch + 1;
  disk.saveEpoch(epoch);
  return { ...loaded, epoch };
}
