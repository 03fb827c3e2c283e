import type { MemberInfo } from '../state/member.ts';
import { beginState } from '../state/membership.ts';
import type { LoadedLog, MemberDisk } from '../storage/member_disk.ts';
import { confStateOf } from './conf_state.ts';

/**
 * Where the log of a new cluster begins: after an entry that nobody holds. So whoever starts with
 * nothing, as a member that joins later, is behind every log and gets a snapshot, the founders
 * with it: it can never take the entries for the whole story and count wrong members.
 */
const BEGINNING = { index: 1, term: 0 } as const;

/**
 * What the rows say when an instance of a member starts, the first rows of a founder included.
 * The epoch is this instance's: one more than the last, so that an older instance, which the
 * platform may leave running for a while, is known as such.
 */
export function startInstance(disk: MemberDisk, founders: readonly MemberInfo[]): LoadedLog {
  let loaded = disk.load();
  if (loaded.snapshot.index === 0 && founders.length > 0) {
    disk.bootstrap({ ...BEGINNING, confState: confStateOf(founders) });
    beginState(disk.state, BEGINNING, founders);
    loaded = disk.load();
  }
  const epoch = loaded.epoch + 1;
  disk.saveEpoch(epoch);
  return { ...loaded, epoch };
}
