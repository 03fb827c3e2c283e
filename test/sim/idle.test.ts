import type { MessageInitShape } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { KV, type PutRequestSchema } from '../../src/api/gen/rpc_pb.ts';
import { must } from '../../src/lib/assert.ts';
import { utf8 } from '../../src/lib/bytes.ts';
import { Cluster } from './cluster.ts';
import { callMethod, contextOf } from './runtime.ts';
import { World } from './world.ts';

const MINUTE_US = 60_000_000;
const STEPS_PER_MINUTE = 10;
const QUIESCE_AFTER_MS = 5_000;

/** Whole members with everything switched on that has a timer, on a network without faults. */
class IdleCluster {
  readonly world: World;
  readonly cluster: Cluster;

  constructor(size: number, quiesceAfterMs: number) {
    this.world = new World({ seed: 1, size, profile: 'leases', bugs: new Set(), print: null });
    Object.assign(this.world.plan, { quiesceAfterMs, lossProbability: 0, strayProbability: 0 });
    this.world.faulty = false;
    this.cluster = new Cluster(this.world);
    for (const member of this.cluster.members) member.start();
  }

  /** Nothing here awaits an outcome: what was begun by a timer goes on between the steps. */
  async run(minutes: number): Promise<void> {
    for (let step = 0; step < minutes * STEPS_PER_MINUTE; step++) {
      await this.world.run(this.world.nowUs + MINUTE_US / STEPS_PER_MINUTE);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** A write at the leader. */
  async put(key: string): Promise<void> {
    const leader = must(this.cluster.leaders[0], 'a leader');
    let succeeded = false;
    const request: MessageInitShape<typeof PutRequestSchema> = {
      key: utf8(key),
      value: utf8(key),
    };
    callMethod(leader, KV.method.put, request, contextOf(this.world.plan), ({ error }) => {
      succeeded = error === null;
    });
    await this.run(0.1);
    expect(succeeded).toBe(true);
  }
}

test.each([1, 3])('%i members that nobody asks have no timer at all', async (size) => {
  const idle = new IdleCluster(size, QUIESCE_AFTER_MS);
  await idle.run(1);
  await idle.put('a');
  // Once more what was written is compared (a minute later) and looked at for compaction (six).
  await idle.run(7);
  const events = idle.world.trace.count;
  await idle.run(8 * 60);
  expect(idle.world.trace.count).toBe(events);
  // And it was not dead.
  await idle.put('b');
  expect(idle.world.trace.count).toBeGreaterThan(events);
});
