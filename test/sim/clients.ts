import { type Caller, INTERNAL } from '../../src/api/caller.ts';
import { EtcdError } from '../../src/api/error.ts';
import type { RangeRequest } from '../../src/api/gen/rpc_pb.ts';
import { intBetween, type Prng } from '../../src/lib/prng.ts';
import type { ProposalOutcome } from '../../src/member/proposals.ts';
import type { ApplyResult } from '../../src/state/result.ts';
import type { Cluster } from './cluster.ts';
import type { Instance } from './instance.ts';
import { chance, exponential, pick } from './random.ts';
import { Requests, type WriteRequest } from './requests.ts';
import { USERS } from './users.ts';
import type { World } from './world.ts';

/** When an operation began, and the place in the log that it must come after. */
export interface Begun {
  readonly floor: number;
  readonly atUs: number;
}

/** What happens to operations is told to the checkers: they decide whether it may. */
export interface OperationObserver {
  begins(instance: Instance): Begun;
  writeAnswered(begun: Begun, request: WriteRequest, result: ApplyResult): void;
  writeRefused(error: EtcdError): void;
  /** A range is read from the instance's machine now; `begun` is null for a serializable one. */
  reads(instance: Instance, begun: Begun | null, request: RangeRequest, caller: Caller): void;
}

/** The clients of a cluster: each does one thing after the other, at members that it picks. */
export class Clients {
  readonly #world: World;
  readonly #cluster: Cluster;
  readonly #observer: OperationObserver;
  readonly #prng: Prng;
  readonly #requests: Requests;
  #stopped = false;
  /** Operations whose outcome no client knows yet. */
  #open = 0;

  constructor(world: World, cluster: Cluster, observer: OperationObserver) {
    this.#world = world;
    this.#cluster = cluster;
    this.#observer = observer;
    this.#prng = world.fork();
    this.#requests = new Requests(
      this.#prng,
      world.plan.keys,
      world.plan.profile === 'plain' ? 60 : 3,
    );
  }

  start(): void {
    for (let i = 0; i < this.#world.plan.clients; i++) this.#think();
  }

  /** No new operations; those that are open go on. */
  stop(): void {
    this.#stopped = true;
  }

  get openCount(): number {
    return this.#open;
  }

  #think(): void {
    this.#world.after(exponential(this.#prng, this.#world.plan.thinkMs), () => {
      if (!this.#stopped) this.#operate();
    });
  }

  #operate(): void {
    const instance = this.#choose();
    if (instance === null) return this.#think();
    const end = this.#begin(instance);
    const kind = this.#prng.next();
    if (kind < 0.6) this.#propose(instance, this.#requests.write(), this.#timeoutMs(), end);
    else if (kind < 0.85) this.#barrier(instance, this.#requests.range(), this.#timeoutMs(), end);
    else this.#readSerializable(instance, end);
  }

  /** Any member; often one that takes itself for the leader, rightly or not. */
  #choose(): Instance | null {
    const member = pick(this.#prng, this.#cluster.members);
    if (!chance(this.#prng, 0.3)) return member.current;
    const { leaders } = this.#cluster;
    return leaders.length > 0 ? pick(this.#prng, leaders) : member.current;
  }

  /**
   * Counts the operation as open until it is answered, its instance is dead, or it is long overdue.
   */
  #begin(instance: Instance): () => void {
    let ended = false;
    this.#open += 1;
    const end = () => {
      if (ended) return;
      ended = true;
      this.#open -= 1;
      this.#think();
    };
    const giveUp = () => {
      if (ended) return;
      // Nobody will answer for a dead instance; the client's connection to it is gone.
      if (!instance.alive) {
        this.#world.coverage.add('writesUnknown');
        return end();
      }
      this.#world.after(this.#world.plan.requestTimeoutMs, giveUp);
    };
    this.#world.after(this.#world.plan.requestTimeoutMs, giveUp);
    return end;
  }

  #propose(
    instance: Instance,
    request: WriteRequest,
    timeoutMs: number,
    done: (error: EtcdError | null) => void,
    caller: Caller = this.#caller(instance),
  ): void {
    const propose = () => {
      const begun = this.#observer.begins(instance);
      const answered = ({ result, error }: ProposalOutcome) => {
        if (result !== undefined) {
          this.#requests.sawRevision(result.revision);
          this.#observer.writeAnswered(begun, request, result);
        } else this.#observer.writeRefused(error);
        done(error ?? null);
      };
      const term = this.#onlyInTerm(instance, request);
      instance.node.propose(request, timeoutMs, answered, term, caller);
    };
    const refuse = () => done(EtcdError.of('stopped'));
    instance.request('proposes', request.case ?? '', propose, refuse);
  }

  #barrier(
    instance: Instance,
    request: RangeRequest,
    timeoutMs: number,
    done: (error: EtcdError | null) => void,
  ): void {
    const ask = () => {
      const begun = this.#observer.begins(instance);
      instance.node.barrier(timeoutMs, (error) => {
        if (error === null) this.#observer.reads(instance, begun, request, this.#caller(instance));
        else this.#world.coverage.add('readsRefused');
        done(error);
      });
    };
    instance.request('reads', null, ask, () => done(EtcdError.of('stopped')));
  }

  /** A command of somebody else's, as any write of a client; by default the member's own. */
  command(
    instance: Instance,
    request: WriteRequest,
    done: (error: EtcdError | null) => void,
    caller: Caller = INTERNAL,
  ): void {
    this.#propose(instance, request, this.#world.plan.requestTimeoutMs, done, caller);
  }

  /** A user as the member would vouch for now; some have been vouched for a while ago. */
  callerAt(instance: Instance, username: string): Caller {
    const revision = instance.running ? instance.node.machine.auth.revision : 1;
    const age = chance(this.#prng, 0.1) ? 1 : 0;
    return { username, authRevision: BigInt(Math.max(1, revision - age)), internal: false };
  }

  /** One write; `done` is told how it ended. */
  writeOnce(instance: Instance, done: (error: EtcdError | null) => void): void {
    const request: WriteRequest = { case: 'put', value: this.#requests.put() };
    this.#propose(instance, request, this.#world.plan.requestTimeoutMs, done);
  }

  /** One linearizable read; `done` is told how it ended. */
  readOnce(
    instance: Instance,
    request: RangeRequest,
    done: (error: EtcdError | null) => void,
  ): void {
    this.#barrier(instance, request, this.#world.plan.requestTimeoutMs, done);
  }

  #readSerializable(instance: Instance, end: () => void): void {
    const read = () => {
      this.#observer.reads(instance, null, this.#requests.range(), this.#caller(instance));
      end();
    };
    instance.request('reads here', null, read, end);
  }

  /** As a leader that ends leases proposes it: void once another leads. */
  #onlyInTerm(instance: Instance, request: WriteRequest): number {
    return request.case === 'leaseRevoke' ? instance.node.soft.term : 0;
  }

  /** Where rights are exercised, somebody; elsewhere the member itself. */
  #caller(instance: Instance): Caller {
    if (this.#world.plan.profile !== 'auth') return INTERNAL;
    return this.callerAt(instance, pick(this.#prng, ['root', '', ...USERS]));
  }

  #timeoutMs(): number {
    const { requestTimeoutMs } = this.#world.plan;
    return chance(this.#prng, 0.2)
      ? intBetween(this.#prng, 1, Math.ceil(requestTimeoutMs / 10))
      : requestTimeoutMs;
  }
}
