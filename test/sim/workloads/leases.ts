import { create } from '@bufbuild/protobuf';
import { Lease, PutRequestSchema } from '../../../src/api/gen/rpc_pb.ts';
import { utf8 } from '../../../src/lib/bytes.ts';
import { intBetween } from '../../../src/lib/prng.ts';
import type { LeaseChecker } from '../checkers/leases.ts';
import type { OperationChecker } from '../checkers/reads.ts';
import type { Instance } from '../instance.ts';
import { chance } from '../random.ts';
import { callMethod } from '../runtime.ts';
import type { Scene } from './scene.ts';
import type { Goal, Workload } from './workload.ts';

const SESSIONS = 3;
const TTL_SECONDS_MAX = 3;
/** Leases are looked at from time to time, and what was proposed in vain is proposed again. */
const EXPIRY_SLACK_MS = 4_000;

/**
 * Sessions as clients hold them: a lease of a few seconds, a key attached to it, keepalives at
 * whichever member, and at the end a revocation or silence.
 */
export class LeaseWorkload implements Workload {
  readonly #scene: Scene;
  readonly #operations: OperationChecker;
  readonly #leases: LeaseChecker;

  constructor(scene: Scene, operations: OperationChecker, leases: LeaseChecker) {
    this.#scene = scene;
    this.#operations = operations;
    this.#leases = leases;
  }

  start(): void {
    for (let i = 0; i < SESSIONS; i++) this.#open();
  }

  /** A5: what nobody keeps alive ends: a change of leader may have given it its time once more. */
  get goals(): readonly Goal[] {
    const missing = () => (this.#leases.liveCount === 0 ? null : 'end of all leases');
    const extraMs = 2 * TTL_SECONDS_MAX * 1000 + EXPIRY_SLACK_MS;
    return [{ invariant: 'A5', missing, extraMs }];
  }

  #open(): void {
    this.#scene.later(this.#scene.world.plan.electionTimeoutMs, () => {
      const instance = this.#scene.choose();
      if (instance === null) return this.#open();
      const TTL = BigInt(intBetween(this.#scene.prng, 1, TTL_SECONDS_MAX));
      this.#scene.unlessLost(
        (answered) =>
          callMethod(instance, Lease.method.leaseGrant, { TTL }, this.#scene.context, (outcome) => {
            answered(() => {
              const { response } = outcome;
              if (response === null) return this.#open();
              this.#attach(response.ID);
              this.#keep(response.ID, Number(response.TTL), intBetween(this.#scene.prng, 0, 12));
            });
          }),
        () => this.#open(),
      );
    });
  }

  #attach(lease: bigint): void {
    const instance = this.#scene.choose();
    if (instance === null) return;
    const request = create(PutRequestSchema, {
      key: utf8(`k${intBetween(this.#scene.prng, 0, 9)}`),
      value: utf8(`lease ${lease} at ${this.#scene.world.nowUs}`),
      lease,
    });
    const { requestTimeoutMs } = this.#scene.world.plan;
    instance.request(
      'attaches',
      String(lease),
      () => instance.node.propose({ case: 'put', value: request }, requestTimeoutMs, () => {}),
      () => {},
    );
  }

  /** Keeps it alive so many times more, then lets go of it one way or the other. */
  #keep(id: bigint, ttlSeconds: number, times: number): void {
    if (times === 0) {
      const end = this.#scene.prng.next();
      if (end < 0.3) this.#revoke(id);
      else if (end < 0.7) this.#replace(id, ttlSeconds);
      return this.#open();
    }
    // Some are so late that the lease may have run out just now.
    const { prng } = this.#scene;
    const isLate = chance(prng, 0.25);
    const wait = isLate ? ttlSeconds * 1000 * (0.9 + 0.7 * prng.next()) : ttlSeconds * 250;
    this.#scene.later(wait, () => {
      const instance = this.#scene.choose();
      if (instance === null) return this.#keep(id, ttlSeconds, times - 1);
      const again = () => this.#keep(id, ttlSeconds, times - 1);
      this.#scene.unlessLost((answered) => this.#renew(instance, id, answered, again), again);
    });
  }

  #renew(
    instance: Instance,
    id: bigint,
    answered: (then: () => void) => void,
    again: () => void,
  ): void {
    const renew = async () => {
      const begun = this.#operations.begins(instance);
      const ttl = await instance.runtime.keepAlives.renew(id).catch(() => null);
      if (!instance.alive) return;
      if (ttl === 0n) this.#leases.missing(id, begun);
      else if (ttl !== null) this.#leases.renewed(id, Number(ttl), begun);
      answered(() => (ttl === 0n ? this.#open() : again()));
    };
    const run = () => instance.track(renew());
    instance.request('keeps alive', String(id), run, () => answered(again));
  }

  /** About when it runs out it is revoked, and at once there is another under the same id. */
  #replace(id: bigint, ttlSeconds: number): void {
    this.#scene.world.after(ttlSeconds * 1000 * (0.8 + 0.6 * this.#scene.prng.next()), () => {
      const instance = this.#scene.choose();
      if (instance === null || this.#scene.stopped) return;
      const { method } = Lease;
      callMethod(instance, method.leaseRevoke, { ID: id }, this.#scene.context, () => {});
      callMethod(instance, method.leaseGrant, { ID: id, TTL: 3n }, this.#scene.context, () => {});
    });
  }

  #revoke(ID: bigint): void {
    const instance = this.#scene.choose();
    if (instance === null) return;
    callMethod(instance, Lease.method.leaseRevoke, { ID }, this.#scene.context, () => {});
  }
}
