import { closeSync, openSync, readSync } from 'node:fs';
import { BackendSnapshot } from './backend_snapshot.ts';
import { StartError, systemCode } from './error.ts';
import { StoredSnapshot } from './snapshot_file.ts';

/** A snapshot that a cluster can begin with. */
export interface SnapshotSource {
  /** What it is, for people. */
  readonly title: string;
  chunks(): Iterable<Uint8Array>;
  close(): void;
}

/** How files of etcd begin: the number of page 0, which is eight zeros. */
const ETCD_START = Buffer.alloc(8);

/**
 * Opens a snapshot: ours, or one of etcd's.
 * @param skipHashCheck takes a file of etcd's without a hash too, as a copy of its database is
 * @throws StartError when it is neither, or is not whole
 */
export function openSnapshot(path: string, skipHashCheck: boolean): SnapshotSource {
  const start = Buffer.alloc(ETCD_START.length, 0xff);
  try {
    const file = openSync(path, 'r');
    readSync(file, start, 0, start.length, 0);
    closeSync(file);
  } catch (error) {
    throw new StartError(`cannot read ${path}: ${systemCode(error) ?? String(error)}`);
  }
  const isEtcds = start.equals(ETCD_START);
  return isEtcds ? BackendSnapshot.open(path, skipHashCheck) : StoredSnapshot.open(path);
}
