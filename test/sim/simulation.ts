import { LivenessChecker } from './checkers/liveness.ts';
import { Clients } from './clients.ts';
import { Cluster } from './cluster.ts';
import type { Coverage } from './coverage.ts';
import { Nemesis } from './nemesis.ts';
import type { Profile } from './plan.ts';
import { withSmallLimits } from './small_limits.ts';
import { Violation } from './violation.ts';
import { AdminWorkload } from './workloads/admin.ts';
import { LeaseWorkload } from './workloads/leases.ts';
import { LockWorkload } from './workloads/locks.ts';
import { OperatorWorkload } from './workloads/operator.ts';
import { Scene } from './workloads/scene.ts';
import { V2Workload } from './workloads/v2.ts';
import { WatchWorkload } from './workloads/watches.ts';
import type { Workload } from './workloads/workload.ts';
import { type RunOptions, World } from './world.ts';

/** How a run ended. */
export interface RunReport {
  readonly seed: number;
  readonly size: number;
  readonly profile: Profile;
  /** Null when every invariant held. */
  readonly violation: Violation | null;
  readonly coverage: Coverage;
  readonly events: number;
  readonly traceHash: number;
  readonly simulatedMs: number;
  /** The last events, oldest first. */
  readonly recent: readonly string[];
}

/**
 * A cluster, its clients and its nemesis, through both phases. Everything follows from the options.
 */
export async function simulate(options: RunOptions): Promise<RunReport> {
  const world = new World(options);
  let violation: Violation | null = null;
  await withSmallLimits(world.fork(), async () => {
    try {
      await runPhases(world);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      // What broke first may have led to what was thrown.
      violation = world.failure ?? error;
    }
  });
  return {
    seed: options.seed,
    size: world.plan.members.length,
    profile: world.plan.profile,
    violation,
    coverage: world.coverage,
    events: world.trace.count,
    traceHash: world.trace.hash,
    simulatedMs: world.nowUs / 1000,
    recent: violation === null ? [] : world.trace.recent(),
  };
}

async function runPhases(world: World): Promise<void> {
  const { plan } = world;
  const cluster = new Cluster(world);
  const { checkers } = cluster;
  const clients = new Clients(world, cluster, checkers.operations);
  const nemesis = new Nemesis(world, cluster);

  for (const member of cluster.members) world.afterAbout(plan.latencyMs, () => member.start());
  const scene = new Scene(world, cluster);
  const workload = workloadOf(scene, cluster, clients);
  clients.start();
  workload?.start();
  nemesis.start();
  await world.run(plan.faultsMs * 1000);
  world.note('nemesis', 'lifts all faults');
  nemesis.lift();
  scene.stop();
  const liveness = new LivenessChecker(world, cluster, clients);
  await liveness.check(workload?.goals ?? []);
}

/** What the profile of the run adds to the clients that every run has. */
function workloadOf(scene: Scene, cluster: Cluster, clients: Clients): Workload | null {
  const { checkers } = cluster;
  switch (scene.world.plan.profile) {
    case 'plain':
      return null;
    case 'membership':
      return new OperatorWorkload(scene, cluster);
    case 'leases':
      return new LeaseWorkload(scene, checkers.operations, checkers.leases);
    case 'watches':
      return new WatchWorkload(scene, checkers.watches);
    case 'locks':
      return new LockWorkload(scene, checkers.operations, checkers.locks);
    case 'auth':
      return new AdminWorkload(scene, clients);
    case 'v2':
      return new V2Workload(scene, cluster, clients);
  }
}
