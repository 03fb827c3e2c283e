import type { MemberMetrics } from '../metrics/member_metrics.ts';
import type { NodeHost } from './host.ts';

type Disk = NodeHost['disk'];
type DiskMetrics = MemberMetrics['disk'];

/**
 * The disk with its work measured under etcd's names. A confirmation covers everything written
 * before it, so each observation says of what it is one: rows of the log (etcd's WAL), of the state
 * (etcd's backend), a snapshot. A sync without any of them is none.
 */
export function metered<D extends Disk>(
  disk: D,
  metrics: DiskMetrics,
  installing: { set(value: number): void },
  nowMs: () => number,
): D {
  const written = { log: false, state: false, snapshot: false };
  const write = disk.write.bind(disk);
  disk.write = (batch) => {
    for (const { data } of batch.entries) metrics.walWriteBytes.add(data.length);
    written.log ||= batch.entries.length > 0 || batch.hardState !== null;
    if (batch.snapshot) {
      written.snapshot = true;
      installing.set(1);
    }
    write(batch);
  };
  const { state } = disk;
  const put = state.put.bind(state);
  state.put = (table, rows) => {
    written.state = true;
    put(table, rows);
  };
  const sync = disk.sync.bind(disk);
  disk.sync = (done) => {
    const covered = { ...written };
    Object.assign(written, { log: false, state: false, snapshot: false });
    const startMs = nowMs();
    sync((error) => {
      const seconds = (nowMs() - startMs) / 1000;
      if (covered.log) metrics.walFsyncSeconds.observe(seconds);
      if (covered.state) metrics.backendCommitSeconds.observe(seconds);
      if (covered.snapshot) metrics.snapDbFsyncSeconds.observe(seconds);
      if (covered.snapshot) installing.set(0);
      done(error);
    });
  };
  return disk;
}
