import { EtcdError } from '../../src/api/error.ts';
import { must } from '../../src/lib/assert.ts';
import { type Prng, seededPrng } from '../../src/lib/prng.ts';
import { Coverage } from './coverage.ts';
import { EventQueue } from './event_queue.ts';
import { type Plan, type Profile, planOf } from './plan.ts';
import { exponential } from './random.ts';
import { isInjected } from './signals.ts';
import { type Detail, Trace } from './trace.ts';
import { holds, Violation } from './violation.ts';

/** Many times what the busiest run needs. */
const EVENTS_MAX = 1_000_000;

export interface RunOptions {
  readonly seed: number;
  /** Members; null lets the seed choose. */
  readonly size: number | null;
  /** Historic bugs that are switched on. */
  readonly bugs: ReadonlySet<string>;
  /** Receives every line of the trace; null to be fast. */
  readonly print: ((line: string) => void) | null;
  /** What is exercised; null lets the seed choose. */
  readonly profile: Profile | null;
}

/** Code under test that awaits: what an event resolves goes on before the next event. */
interface Continuing {
  /** Does what its continuations have asked for; whether there was anything. */
  continues(): boolean;
}

/** Simulated time, the one source of randomness and the story so far. Knows nothing of members. */
export class World {
  readonly plan: Plan;
  readonly bugs: ReadonlySet<string>;
  readonly prng: Prng;
  readonly trace: Trace;
  readonly coverage = new Coverage();
  readonly #queue = new EventQueue();
  #nowUs = 0;
  #events = 0;
  #violation: Violation | null = null;
  /** By whose code something is awaited, how many such calls there are. */
  readonly #awaiting = new Map<Continuing, number>();
  /** False once the faults are lifted. */
  faulty = true;

  constructor(options: RunOptions) {
    this.prng = seededPrng(options.seed);
    this.plan = planOf(options.seed, this.prng, options);
    this.bugs = options.bugs;
    this.trace = new Trace(options.print);
  }

  get nowUs(): number {
    return this.#nowUs;
  }

  /** What has broken first. */
  get failure(): Violation | null {
    return this.#violation;
  }

  /** A randomness of its own for one part, drawn from the run's. */
  fork(): Prng {
    return seededPrng(Math.floor(this.prng.next() * 2 ** 48));
  }

  note(subject: string, verb: string, detail: Detail = null): void {
    this.trace.add(this.#nowUs, subject, verb, detail);
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.#nowUs + Math.ceil(delayMs * 1000), run);
  }

  at(atUs: number, run: () => void): void {
    this.#queue.push(Math.max(atUs, this.#nowUs), run);
  }

  /** After a random delay with this mean. */
  afterAbout(meanMs: number, run: () => void): void {
    this.after(exponential(this.prng, meanMs), run);
  }

  /** Ends the run, also when the code under test swallows what a checker throws. */
  fail(violation: Violation): void {
    this.#violation ??= violation;
  }

  /**
   * A call of asynchronous code: until it is over every event is followed by what its promises
   * lead to, as on the platform. Its outcome is the caller's business; a violation ends the run.
   */
  track(owner: Continuing, call: Promise<unknown>): void {
    this.#awaiting.set(owner, (this.#awaiting.get(owner) ?? 0) + 1);
    const settled = (error: unknown = null) => {
      if (error instanceof Violation) this.fail(error);
      else if (error instanceof Error && isBroken(error)) this.fail(brokenBy(error));
      const left = (this.#awaiting.get(owner) ?? 0) - 1;
      if (left > 0) this.#awaiting.set(owner, left);
      else this.forget(owner);
    };
    call.then(() => settled(), settled);
  }

  /** Its calls will never be over. */
  forget(owner: Continuing): void {
    this.#awaiting.delete(owner);
  }

  /** Works off events until the time has come or `done` holds. @throws Violation */
  async run(untilUs: number, done: () => boolean = () => false): Promise<void> {
    while (!done()) {
      const nextAtUs = this.#queue.nextAtUs;
      if (nextAtUs === null || nextAtUs > untilUs) break;
      const event = must(this.#queue.pop(), 'the queue has an event');
      this.#nowUs = event.atUs;
      event.run();
      if (this.#awaiting.size > 0) await this.#continue();
      this.#events += 1;
      holds(this.#events < EVENTS_MAX, 'P4', () => 'the cluster never comes to rest');
      if (this.#violation !== null) throw this.#violation;
    }
    if (this.#violation !== null) throw this.#violation;
    if (!done()) this.#nowUs = Math.max(this.#nowUs, untilUs);
  }

  async #continue(): Promise<void> {
    for (let isMore = true; isMore; ) {
      await promisesToRun();
      isMore = false;
      for (const owner of [...this.#awaiting.keys()]) isMore = owner.continues() || isMore;
    }
  }
}

/** Resolves when every promise that can go on has done so. */
function promisesToRun(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What no service throws on purpose. */
function isBroken(error: Error): boolean {
  return !(error instanceof EtcdError) && !isInjected(error);
}

function brokenBy(error: Error): Violation {
  return new Violation('assert', error.stack ?? error.message);
}
