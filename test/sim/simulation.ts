import type { ConfState } from '../../src/raft/message.ts';
import { Checkers } from './checkers/checkers.ts';
import { LivenessChecker } from './checkers/liveness.ts';
import { Clients } from './clients.ts';
import type { Coverage } from './coverage.ts';
import { Member } from './member.ts';
import { Nemesis } from './nemesis.ts';
import { Network } from './network.ts';
import { withSmallLimits } from './small_limits.ts';
import { Violation } from './violation.ts';
import { type RunOptions, World } from './world.ts';

/** How a run ended. */
export interface RunReport {
  readonly seed: number;
  readonly size: number;
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
export function simulate(options: RunOptions): RunReport {
  const world = new World(options);
  let violation: Violation | null = null;
  withSmallLimits(world.fork(), () => {
    try {
      runPhases(world);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      violation = error;
    }
  });
  return {
    seed: options.seed,
    size: world.plan.members.length,
    violation,
    coverage: world.coverage,
    events: world.trace.count,
    traceHash: world.trace.hash,
    simulatedMs: world.nowUs / 1000,
    recent: violation === null ? [] : world.trace.recent(),
  };
}

function runPhases(world: World): void {
  const { plan } = world;
  const confState: ConfState = {
    voters: plan.members.map(({ id }) => id),
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };
  const members: Member[] = [];
  const images = new Map();
  const checkers = new Checkers(world, images);
  const current = (id: string) => members.find((member) => member.id === id)?.current ?? null;
  const network = new Network(world, checkers, current);
  for (const memberPlan of plan.members) {
    const member = new Member(world, network, checkers, memberPlan, confState);
    members.push(member);
    images.set(member.id, member.durable);
  }
  const clients = new Clients(world, members, checkers.operations);
  const nemesis = new Nemesis(world, members, network);

  for (const member of members) world.afterAbout(plan.latencyMs, () => member.start());
  clients.start();
  nemesis.start();
  world.run(plan.faultsMs * 1000);
  world.note('nemesis', 'lifts all faults');
  nemesis.lift();
  new LivenessChecker(world, members, clients, checkers).check();
}
