import { describe, expect, it } from 'vitest';
import { limits } from '../config.ts';
import { seededPrng } from '../lib/prng.ts';
import type { ConfState, Entry, SnapshotMeta } from '../raft/message.ts';
import { StateMachine } from '../state/machine.ts';
import { MemoryStateStore } from '../state/memory_store.ts';
import { Checkpoints } from './checkpoints.ts';
import type { MemberDisk } from './host.ts';

const confState: ConfState = {
  voters: ['a'],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

/** A member that has applied so many empty entries. */
class Rig {
  readonly compacted: SnapshotMeta[] = [];
  readonly machine = new StateMachine(new MemoryStateStore());
  readonly checkpoints: Checkpoints;

  constructor() {
    const disk = {
      term: () => 7,
      compact: (meta: SnapshotMeta) => void this.compacted.push(meta),
    } as unknown as MemberDisk;
    const policy = { snapshotCount: 10, snapshotCatchUpEntries: 5, prng: seededPrng(1) };
    this.checkpoints = new Checkpoints(disk, policy, 0, 0);
  }

  apply(count: number): void {
    for (let i = 0; i < count; i++) {
      const index = this.machine.appliedIndex + 1;
      this.machine.apply({ index, term: 7, data: new Uint8Array(0) });
    }
  }

  /** The state is flushed, and its rows have become durable. */
  settle(): void {
    this.checkpoints.flush(this.machine);
    this.checkpoints.durable(this.checkpoints.flushedIndex);
  }
}

describe('the log', () => {
  it('may be forgotten when the state is durable, not when it is only flushed', () => {
    const rig = new Rig();
    rig.apply(15);
    expect(rig.checkpoints.compactionDue).toBeNull();
    rig.checkpoints.flush(rig.machine);
    expect(rig.checkpoints.compactionDue).toBeNull();
    rig.checkpoints.durable(rig.checkpoints.flushedIndex);
    expect(rig.checkpoints.compactionDue).toBe(10);
    rig.checkpoints.compact(10, confState);
    expect(rig.compacted).toEqual([{ index: 10, term: 7, confState }]);
    expect(rig.checkpoints.compactionDue).toBeNull();
  });

  it('is kept while a snapshot is on its way to a peer', () => {
    const rig = new Rig();
    rig.apply(15);
    rig.settle();
    const { close } = rig.checkpoints.openSnapshot(rig.machine);
    expect(rig.checkpoints.compactionDue).toBeNull();
    close();
    expect(rig.checkpoints.compactionDue).toBe(10);
  });

  it('is forgotten earlier when its entries are large', () => {
    const rig = new Rig();
    rig.apply(3);
    rig.settle();
    const data = new Uint8Array(limits.logCompactionBytes / 2);
    const entry: Entry = { index: 1, term: 7, kind: 0, data };
    rig.checkpoints.wrote([entry]);
    expect(rig.checkpoints.compactionDue).toBeNull();
    rig.checkpoints.wrote([entry]);
    expect(rig.checkpoints.compactionDue).toBe(3);
  });

  it('is not cut behind a snapshot that was installed meanwhile, and open ones end', () => {
    const rig = new Rig();
    rig.apply(15);
    rig.settle();
    const { next } = rig.checkpoints.openSnapshot(rig.machine);
    rig.checkpoints.installed(40);
    rig.checkpoints.compact(10, confState);
    expect(rig.compacted).toEqual([]);
    expect(next).toThrow('reading a closed snapshot');
  });
});
