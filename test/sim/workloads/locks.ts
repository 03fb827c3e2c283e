import { Election } from '../../../src/api/gen/election_pb.ts';
import { Lock } from '../../../src/api/gen/lock_pb.ts';
import { Lease } from '../../../src/api/gen/rpc_pb.ts';
import { utf8 } from '../../../src/lib/bytes.ts';
import type { LockChecker } from '../checkers/locks.ts';
import type { OperationChecker } from '../checkers/reads.ts';
import type { Instance } from '../instance.ts';
import { chance } from '../random.ts';
import { callMethod } from '../runtime.ts';
import type { Scene } from './scene.ts';
import type { Workload } from './workload.ts';

const CONTENDERS = 4;
const LOCK = 'lock';
const OFFICE = 'office';

/**
 * Contenders for a lock and an office: each with a lease that it keeps alive, or not, while it
 * waits and while it owns.
 */
export class LockWorkload implements Workload {
  readonly goals = [];
  readonly #scene: Scene;
  readonly #operations: OperationChecker;
  readonly #locks: LockChecker;

  constructor(scene: Scene, operations: OperationChecker, locks: LockChecker) {
    this.#scene = scene;
    this.#operations = operations;
    this.#locks = locks;
  }

  start(): void {
    for (let i = 0; i < CONTENDERS; i++) this.#begin();
  }

  #begin(): void {
    this.#scene.later(this.#scene.world.plan.electionTimeoutMs, () => {
      const instance = this.#scene.choose();
      if (instance === null) return this.#begin();
      const { context } = this.#scene;
      const again = () => this.#begin();
      this.#scene.unlessLost((answered) => {
        callMethod(instance, Lease.method.leaseGrant, { TTL: 1n }, context, ({ response }) => {
          answered(() => (response === null ? again() : this.#contend(response.ID)));
        });
      }, again);
    });
  }

  #contend(lease: bigint): void {
    const { world, prng } = this.#scene;
    const session = { alive: true };
    // Some do not notice that their lease runs out.
    if (chance(prng, 0.7)) this.#keepAlive(lease, session);
    const instance = this.#scene.choose();
    const again = () => {
      session.alive = false;
      this.#begin();
    };
    if (instance === null) return again();
    const hangUp = new AbortController();
    if (chance(prng, 0.2)) world.afterAbout(world.plan.electionTimeoutMs, () => hangUp.abort());
    const own = (key: Uint8Array) => {
      world.afterAbout(world.plan.electionTimeoutMs, () => {
        if (chance(prng, 0.7)) this.#unlock(key);
        again();
      });
    };
    this.#scene.unlessLost((answered) => {
      const told = (key: Uint8Array | null) => answered(() => (key === null ? again() : own(key)));
      if (chance(prng, 0.6)) this.#lock(instance, lease, hangUp.signal, told);
      else this.#campaign(instance, lease, hangUp.signal, told);
    }, again);
  }

  #lock(
    instance: Instance,
    lease: bigint,
    signal: AbortSignal,
    told: (key: Uint8Array | null) => void,
  ): void {
    const begun = this.#operations.begins(instance);
    const request = { name: utf8(LOCK), lease };
    const { context } = this.#scene;
    callMethod(
      instance,
      Lock.method.lock,
      request,
      context,
      ({ response }) => {
        if (response === null) return told(null);
        const { key, header } = response;
        const revision = Number(header?.revision ?? 0n);
        this.#locks.granted({ prefix: utf8(`${LOCK}/`), key, lease, revision }, begun);
        told(key);
      },
      signal,
    );
  }

  #campaign(
    instance: Instance,
    lease: bigint,
    signal: AbortSignal,
    told: (key: Uint8Array | null) => void,
  ): void {
    const begun = this.#operations.begins(instance);
    const request = { name: utf8(OFFICE), lease, value: utf8('me') };
    const { context } = this.#scene;
    callMethod(
      instance,
      Election.method.campaign,
      request,
      context,
      ({ response }) => {
        const key = response?.leader?.key;
        if (key === undefined) return told(null);
        this.#locks.granted({ prefix: utf8(`${OFFICE}/`), key, lease, revision: null }, begun);
        told(key);
      },
      signal,
    );
  }

  #unlock(key: Uint8Array): void {
    const instance = this.#scene.choose();
    if (instance === null) return;
    callMethod(instance, Lock.method.unlock, { key }, this.#scene.context, () => {});
  }

  #keepAlive(id: bigint, session: { readonly alive: boolean }): void {
    this.#scene.later(250, () => {
      const instance = this.#scene.choose();
      if (!session.alive) return;
      this.#keepAlive(id, session);
      if (instance === null) return;
      const renew = () => instance.track(instance.runtime.keepAlives.renew(id));
      instance.request('keeps alive', String(id), renew, () => {});
    });
  }
}
