import type { MessageInitShape } from '@bufbuild/protobuf';
import { KV, type PutRequestSchema } from '../../src/api/gen/rpc_pb.ts';
import { must } from '../../src/lib/assert.ts';
import { utf8 } from '../../src/lib/bytes.ts';
import { Cluster } from './cluster.ts';
import type { Plan } from './plan.ts';
import { callMethod, contextOf } from './runtime.ts';
import { World } from './world.ts';

const STEP_US_MAX = 6_000_000;

/** Whole members with everything switched on that has a timer, on a network without faults. */
export class CalmCluster {
  readonly world: World;
  readonly cluster: Cluster;

  constructor(size: number, plan: Partial<Plan>) {
    this.world = new World({ seed: 1, size, profile: 'leases', bugs: new Set(), print: null });
    Object.assign(this.world.plan, { lossProbability: 0, strayProbability: 0, ...plan });
    this.world.faulty = false;
    this.cluster = new Cluster(this.world);
    for (const member of this.cluster.members) member.start();
  }

  /** Nothing here awaits an outcome: what was begun by a timer goes on between the steps. */
  async run(ms: number): Promise<void> {
    const untilUs = this.world.nowUs + ms * 1000;
    while (this.world.nowUs < untilUs) {
      await this.world.run(Math.min(untilUs, this.world.nowUs + STEP_US_MAX));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** A write at the leader. @returns what tells whether it has succeeded */
  put(key: string): () => boolean {
    const leader = must(this.cluster.leaders[0], 'a leader');
    let succeeded = false;
    const request: MessageInitShape<typeof PutRequestSchema> = {
      key: utf8(key),
      value: utf8(key),
    };
    callMethod(leader, KV.method.put, request, contextOf(this.world.plan), ({ error }) => {
      succeeded = error === null;
    });
    return () => succeeded;
  }
}
