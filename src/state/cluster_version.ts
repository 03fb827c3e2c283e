import { EtcdError } from '../api/error.ts';
import type { ClusterVersionSet, DowngradeInfoSet } from '../api/gen/command_pb.ts';
import { BinaryReader } from '../lib/binary.ts';
import { utf8 } from '../lib/bytes.ts';
import type { Journal } from './journal.ts';
import { OverlayTable } from './overlay_table.ts';
import type { RowCodec } from './row_codec.ts';
import type { StateStore } from './store.ts';

/** What the cluster has agreed on about its version. */
export interface VersionInfo {
  /** `3.5.0`: the release whose features every member has. Null until a leader has said so. */
  readonly version: string | null;
  /** The version that an operator wants to go back to; null: none. */
  readonly downgradeTarget: string | null;
}

const KEY = utf8('version');
const NOTHING: VersionInfo = { version: null, downgradeTarget: null };

const VERSION_CODEC: RowCodec<VersionInfo> = {
  write: (writer, { version, downgradeTarget }) => {
    writer.text(version ?? '').text(downgradeTarget ?? '');
  },
  decode: (_key, row) => {
    const reader = new BinaryReader(row);
    const [version, target] = [reader.text(), reader.text()];
    return { version: version || null, downgradeTarget: target || null };
  },
  sizeOf: () => 64,
};

export class ClusterVersion {
  readonly table: OverlayTable<VersionInfo>;

  constructor(store: StateStore, journal: Journal) {
    this.table = new OverlayTable(store, 'version', VERSION_CODEC, journal);
  }

  get info(): VersionInfo {
    return this.table.get(KEY) ?? NOTHING;
  }

  /** Members of different releases may propose different versions: the highest one stays. */
  agree({ version }: ClusterVersionSet): void {
    const { version: known } = this.info;
    if (known === null || compareVersions(version, known) > 0) this.#change({ version });
  }

  /** What was found by the member that was asked may no longer hold. @throws EtcdError */
  setDowngrade({ enabled, targetVersion }: DowngradeInfoSet): void {
    const { downgradeTarget } = this.info;
    if (enabled && downgradeTarget !== null) throw EtcdError.of('downgradeInProgress');
    if (!enabled && downgradeTarget === null) throw EtcdError.of('noInflightDowngrade');
    this.#change({ downgradeTarget: enabled ? targetVersion : null });
  }

  #change(change: Partial<VersionInfo>): void {
    const before = this.table.get(KEY);
    this.table.set(KEY, { ...(before ?? NOTHING), ...change }, before);
  }
}

/** Negative, zero or positive: the order of releases, by major and minor number. */
export function compareVersions(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA - majorB || minorA - minorB;
}
