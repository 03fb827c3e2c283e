import { intBetween, type Prng } from '../../src/lib/prng.ts';
import type { MemberId } from '../../src/raft/message.ts';
import { chance, pick, shuffled } from './random.ts';

/** What can be done to a cluster. */
export const FAULT_KINDS = [
  'crash',
  'crashInsideTurn',
  'crashAll',
  'supersede',
  'pause',
  'isolate',
  'halves',
  'oneWay',
  'partial',
  'slowDisk',
  'failSync',
  'lossBurst',
  'wallClockJump',
  'transfer',
  'transferAndIsolate',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** Everything about a run that is decided before it starts. */
export interface Plan {
  readonly seed: number;
  readonly members: readonly MemberPlan[];
  readonly electionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly quiesceAfterMs: number;
  readonly snapshotCount: number;
  readonly snapshotCatchUpEntries: number;
  readonly faultsMs: number;
  readonly faultIntervalMs: number;
  readonly faultWeights: readonly (readonly [FaultKind, number])[];
  readonly latencyMs: number;
  readonly lossProbability: number;
  readonly duplicateProbability: number;
  /** A message that takes a hundred times as long: it arrives in another epoch of the cluster. */
  readonly strayProbability: number;
  readonly syncMs: number;
  readonly clients: number;
  readonly thinkMs: number;
  readonly keys: number;
  readonly requestTimeoutMs: number;
  readonly freezeMessages: boolean;
}

export interface MemberPlan {
  readonly id: MemberId;
  /** Local milliseconds per simulated millisecond. */
  readonly clockRate: number;
  readonly clockOffsetMs: number;
}

/** @param size the number of members, or null to let the seed choose. */
export function planOf(seed: number, prng: Prng, size: number | null): Plan {
  const electionTimeoutMs = pick(prng, [100, 200, 400, 1_000]);
  const chosenSize = pick(prng, [1, 3, 3, 3, 3, 3, 5, 5]);
  const members = memberPlans(prng, size ?? chosenSize);
  const stormy = chance(prng, 0.3);
  return {
    seed,
    members,
    electionTimeoutMs,
    heartbeatIntervalMs: electionTimeoutMs / pick(prng, [5, 8, 10]),
    quiesceAfterMs: chance(prng, 0.25) ? electionTimeoutMs * intBetween(prng, 2, 6) : 0,
    snapshotCount: pick(prng, [5, 10, 20, 50]),
    snapshotCatchUpEntries: pick(prng, [0, 1, 5, 20]),
    faultsMs: electionTimeoutMs * intBetween(prng, 10, 24),
    faultIntervalMs: electionTimeoutMs * pick(prng, [0.5, 1, 2]),
    faultWeights: faultWeights(prng),
    latencyMs: (electionTimeoutMs / 100) * pick(prng, [0.2, 1, 3]),
    lossProbability: stormy ? 0.15 : pick(prng, [0, 0.01, 0.03]),
    duplicateProbability: pick(prng, [0, 0.02, 0.1]),
    strayProbability: pick(prng, [0, 0.005, 0.02]),
    syncMs: (electionTimeoutMs / 100) * pick(prng, [0.1, 1, 4]),
    clients: intBetween(prng, 4, 8),
    thinkMs: electionTimeoutMs * pick(prng, [0.3, 0.6, 1]),
    keys: 10,
    requestTimeoutMs: electionTimeoutMs * intBetween(prng, 2, 6),
    freezeMessages: chance(prng, 0.1),
  };
}

function memberPlans(prng: Prng, size: number): MemberPlan[] {
  const skewed = chance(prng, 0.5);
  return Array.from({ length: size }, (_, i) => ({
    id: (i + 1).toString(16).padStart(16, '0'),
    clockRate: skewed ? 0.7 + prng.next() * 0.7 : 1,
    clockOffsetMs: intBetween(prng, 0, 1_000_000),
  }));
}

/** Each run gets some kinds only: a mix of everything would hide what needs one fault in peace. */
function faultWeights(prng: Prng): Plan['faultWeights'] {
  const kinds = new Set(shuffled(prng, FAULT_KINDS).slice(0, intBetween(prng, 2, 7)));
  // Two leaders at once are what most safety rules are about, and rare by accident.
  if (chance(prng, 0.5)) kinds.add('transferAndIsolate');
  return [...kinds].map((kind) => [kind, intBetween(prng, 1, 5)] as const);
}
