import type { CallContext } from '../../../src/api/call.ts';
import type { Prng } from '../../../src/lib/prng.ts';
import type { Cluster } from '../cluster.ts';
import type { Instance } from '../instance.ts';
import { chance, exponential, pick } from '../random.ts';
import { contextOf } from '../runtime.ts';
import type { World } from '../world.ts';

/** What the clients of a workload live in: members to ask, time to wait, chance. */
export class Scene {
  readonly world: World;
  readonly prng: Prng;
  readonly #cluster: Cluster;
  #stopped = false;

  constructor(world: World, cluster: Cluster) {
    this.world = world;
    this.prng = world.fork();
    this.#cluster = cluster;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Clients begin nothing new. */
  stop(): void {
    this.#stopped = true;
  }

  get context(): CallContext {
    return contextOf(this.world.plan);
  }

  /** A running member; often one that takes itself for the leader, rightly or not. */
  choose(): Instance | null {
    const { members } = this.#cluster;
    const leaders = chance(this.prng, 0.3) ? this.#cluster.leaders : [];
    return leaders.length > 0 ? pick(this.prng, leaders) : pick(this.prng, members).current;
  }

  /** After about that time, unless the workload has been stopped. */
  later(meanMs: number, run: () => void): void {
    this.world.after(exponential(this.prng, meanMs), () => {
      if (!this.#stopped) run();
    });
  }

  /** Goes on with what was answered; or, when nobody answers in time, with `lost`. */
  unlessLost(begin: (answered: (then: () => void) => void) => void, lost: () => void): void {
    let over = false;
    const end = (then: () => void) => {
      if (over) return;
      over = true;
      then();
    };
    this.world.after(this.world.plan.requestTimeoutMs * 2, () => end(lost));
    begin(end);
  }
}
