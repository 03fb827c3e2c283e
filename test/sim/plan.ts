import { intBetween, type Prng } from '../../src/lib/prng.ts';
import type { MemberId } from '../../src/raft/message.ts';
import { chance, pick, pickWeighted, shuffled } from './random.ts';

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
  'minorityWithSlowDisk',
  'slowKinds',
  'unfence',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** What a run exercises beside the consensus core, which every run does. */
export const PROFILES = [
  'plain',
  'membership',
  'leases',
  'watches',
  'locks',
  'auth',
  'v2',
] as const;
export type Profile = (typeof PROFILES)[number];

/** The core deserves most worlds: everything else stands on it. */
const PROFILE_WEIGHTS = [
  ['plain', 5],
  ['membership', 3],
  ['leases', 2],
  ['watches', 2],
  ['locks', 2],
  ['auth', 3],
  ['v2', 2],
] as const satisfies readonly (readonly [Profile, number])[];

/** Everything about a run that is decided before it starts. */
export interface Plan {
  readonly seed: number;
  readonly profile: Profile;
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
  /** Sockets stay with an instance that was replaced, and bring it messages as long as it runs. */
  readonly oldSockets: boolean;
}

export interface MemberPlan {
  readonly id: MemberId;
  /** Local milliseconds per simulated millisecond. */
  readonly clockRate: number;
  readonly clockOffsetMs: number;
}

/** Whether whole members run, and not their nodes alone. */
export function isWhole({ profile }: Pick<Plan, 'profile'>): boolean {
  return ['leases', 'watches', 'locks', 'v2'].includes(profile);
}

/** What is given is not left to the seed; what is drawn is the same all the same. */
interface Given {
  readonly size: number | null;
  readonly profile: Profile | null;
}

export function planOf(seed: number, prng: Prng, given: Given): Plan {
  const drawn = pickWeighted(prng, PROFILE_WEIGHTS);
  const profile = given.profile ?? drawn;
  const electionTimeoutMs = pick(prng, [100, 200, 400, 1_000]);
  const chosenSize = pick(prng, [1, 3, 3, 3, 3, 3, 5, 5]);
  const members = memberPlans(prng, given.size ?? chosenSize);
  const stormy = chance(prng, 0.3);
  const plan: Plan = {
    seed,
    profile,
    members,
    // Half of the worlds: where replaced instances hear on, they end sooner, and lie less.
    oldSockets: seed % 4 < 2,
    electionTimeoutMs,
    heartbeatIntervalMs: electionTimeoutMs / pick(prng, [5, 8, 10]),
    quiesceAfterMs: chance(prng, 0.25) ? electionTimeoutMs * intBetween(prng, 2, 6) : 0,
    snapshotCount: pick(prng, [5, 10, 20, 50]),
    snapshotCatchUpEntries: pick(prng, [0, 1, 5, 20]),
    faultsMs: electionTimeoutMs * intBetween(prng, 10, 24),
    faultIntervalMs: electionTimeoutMs * pick(prng, [0.5, 1, 2]),
    faultWeights: faultWeights(prng, members.length),
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
  if (profile === 'auth') return { ...plan, quiesceAfterMs: 0 };
  if (profile === 'membership') return { ...plan, quiesceAfterMs: 0, faultsMs: plan.faultsMs * 2 };
  return isWhole(plan) ? adapted(plan, prng) : plan;
}

/**
 * Leases live for whole seconds, so these runs are longer; and only as busy as before. They never
 * sleep: somebody always waits for something.
 */
function adapted(plan: Plan, prng: Prng): Plan {
  const electionTimeoutMs = pick(prng, [200, 400]);
  const scale = electionTimeoutMs / plan.electionTimeoutMs;
  const faultsMs = intBetween(prng, 6, 12) * 1000;
  return {
    ...plan,
    electionTimeoutMs,
    heartbeatIntervalMs: electionTimeoutMs / 5,
    quiesceAfterMs: 0,
    faultsMs,
    faultIntervalMs: electionTimeoutMs * pick(prng, [1, 2, 4]),
    latencyMs: plan.latencyMs * scale,
    syncMs: plan.syncMs * scale,
    clients: 3,
    thinkMs: electionTimeoutMs,
    requestTimeoutMs: electionTimeoutMs * intBetween(prng, 3, 6),
    // What a leader that does not know of its successor does is what these runs are about.
    faultWeights: [...plan.faultWeights, ['transferAndIsolate', 4]],
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
function faultWeights(prng: Prng, size: number): Plan['faultWeights'] {
  const kinds = new Set(shuffled(prng, FAULT_KINDS).slice(0, intBetween(prng, 2, 7)));
  // Two leaders at once are what most safety rules are about, and rare by accident.
  if (chance(prng, 0.5)) kinds.add('transferAndIsolate');
  // What needs a minority of two, there is not often room for.
  if (size > 3 && chance(prng, 0.6)) kinds.add('minorityWithSlowDisk');
  if (size > 1 && chance(prng, 0.4)) kinds.add('slowKinds').add('unfence');
  return [...kinds].map((kind) => [kind, intBetween(prng, 1, 5)] as const);
}
