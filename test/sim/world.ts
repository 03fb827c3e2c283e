import { must } from '../../src/lib/assert.ts';
import { type Prng, seededPrng } from '../../src/lib/prng.ts';
import { Coverage } from './coverage.ts';
import { EventQueue } from './event_queue.ts';
import { type Plan, planOf } from './plan.ts';
import { exponential } from './random.ts';
import { type Detail, Trace } from './trace.ts';
import { holds, type Violation } from './violation.ts';

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
  /** False once the faults are lifted. */
  faulty = true;

  constructor(options: RunOptions) {
    this.prng = seededPrng(options.seed);
    this.plan = planOf(options.seed, this.prng, options.size);
    this.bugs = options.bugs;
    this.trace = new Trace(options.print);
  }

  get nowUs(): number {
    return this.#nowUs;
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

  /** Works off events until the time has come or `done` holds. @throws Violation */
  run(untilUs: number, done: () => boolean = () => false): void {
    while (!done()) {
      const nextAtUs = this.#queue.nextAtUs;
      if (nextAtUs === null || nextAtUs > untilUs) break;
      const event = must(this.#queue.pop(), 'the queue has an event');
      this.#nowUs = event.atUs;
      event.run();
      this.#events += 1;
      holds(this.#events < EVENTS_MAX, 'P4', () => 'the cluster never comes to rest');
      if (this.#violation !== null) throw this.#violation;
    }
    if (this.#violation !== null) throw this.#violation;
    if (!done()) this.#nowUs = Math.max(this.#nowUs, untilUs);
  }
}
