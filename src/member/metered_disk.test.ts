import { describe, expect, it } from 'vitest';
import { MemberMetrics } from '../metrics/member_metrics.ts';
import { EntryKind } from '../raft/message.ts';
import type { PersistBatch } from '../raft/output.ts';
import type { NodeHost } from './host.ts';
import { metered } from './metered_disk.ts';

/** A disk that confirms when it is told to. */
function rig() {
  let nowMs = 0;
  const waiting: ((error: Error | null) => void)[] = [];
  const state = { put: () => {}, delete: () => {} };
  const disk = {
    state,
    write: () => {},
    sync: (done: (error: Error | null) => void) => void waiting.push(done),
  } as unknown as NodeHost['disk'];
  const metrics = new MemberMetrics();
  const installing = metrics.server.snapshotsInProgress;
  const counted = metered(disk, metrics.disk, installing, () => nowMs);
  const confirmed: (Error | null)[] = [];
  return {
    disk: counted,
    sync: () => counted.sync((error) => confirmed.push(error)),
    confirm(afterMs: number, error: Error | null = null) {
      nowMs += afterMs;
      waiting.shift()?.(error);
    },
    confirmed,
    value: (series: string) => {
      const line = metrics
        .render()
        .split('\n')
        .find((each) => each.startsWith(`${series} `));
      return Number(line?.split(' ')[1]);
    },
  };
}

const batch = (parts: Partial<PersistBatch>): PersistBatch =>
  ({ hardState: null, snapshot: null, entries: [], commit: 0, sequence: 1, ...parts }) as never;
const entry = { index: 1, term: 1, kind: EntryKind.normal, data: new Uint8Array(100) };

const WAL = 'etcd_disk_wal_fsync_duration_seconds';
const BACKEND = 'etcd_disk_backend_commit_duration_seconds';
const SNAPSHOT = 'etcd_snap_db_fsync_duration_seconds';

describe('the time until rows are durable', () => {
  it('is that of the log, of the state, or of both', () => {
    const { disk, sync, confirm, value } = rig();
    disk.write(batch({ entries: [entry, entry] }));
    sync();
    confirm(8);
    expect([value(`${WAL}_count`), value(`${WAL}_sum`)]).toEqual([1, 0.008]);
    expect(value(`${BACKEND}_count`)).toBe(0);
    expect(value('etcd_disk_wal_write_bytes_total')).toBe(200);

    disk.state.put('kv', []);
    sync();
    confirm(4);
    expect([value(`${WAL}_count`), value(`${BACKEND}_count`)]).toEqual([1, 1]);

    disk.write(batch({ entries: [entry] }));
    disk.state.put('kv', []);
    sync();
    confirm(2);
    expect([value(`${WAL}_count`), value(`${BACKEND}_count`)]).toEqual([2, 2]);
  });

  it('is no measure where nothing was written', () => {
    const { sync, confirm, confirmed, value } = rig();
    sync();
    confirm(5);
    expect(confirmed).toEqual([null]);
    expect([value(`${WAL}_count`), value(`${BACKEND}_count`)]).toEqual([0, 0]);
  });

  it('counts for the confirmation that covers it, not for a later one', () => {
    const { disk, sync, confirm, value } = rig();
    disk.write(batch({ entries: [entry] }));
    sync();
    disk.state.put('kv', []);
    sync();
    confirm(1);
    expect([value(`${WAL}_count`), value(`${BACKEND}_count`)]).toEqual([1, 0]);
    confirm(1);
    expect([value(`${WAL}_count`), value(`${BACKEND}_count`)]).toEqual([1, 1]);
  });

  it('of a snapshot is counted, and says that it is being installed', () => {
    const { disk, sync, confirm, confirmed, value } = rig();
    const installing = 'etcd_server_snapshot_apply_in_progress_total';
    disk.write(batch({ snapshot: { meta: {} } as never }));
    sync();
    expect(value(installing)).toBe(1);
    const error = new Error('the disk is gone');
    confirm(16, error);
    expect(confirmed).toEqual([error]);
    expect([value(installing), value(`${SNAPSHOT}_count`)]).toEqual([0, 1]);
  });
});
