import { limits } from '../config.ts';
import { intBetween, type Prng } from '../lib/prng.ts';
import type { StateMachine } from '../state/machine.ts';
import type { ApplyResult } from '../state/result.ts';

/** How often the leader looks for expired leases, as etcd. */
const CHECK_INTERVAL_MS = 500;
/** A revocation that did not take effect (an alarm, no quorum) is proposed again, as in etcd. */
const RETRY_MS = 3_000;
/** Revocations proposed per check: etcd's rate is 1,000 a second. */
const REVOKES_PER_CHECK_MAX = 500;

export interface LessorHost {
  readonly machine: () => StateMachine;
  readonly nowMs: () => number;
  readonly prng: Prng;
  readonly electionTimeoutMs: number;
  /** Proposes the revocation of an expired lease. */
  readonly revoke: (id: bigint) => void;
  readonly setTimer: (callback: () => void, ms: number) => void;
}

/**
 * Expiry of leases. Only the leader counts time: when it takes over every lease gets its full TTL
 * again, as in etcd, so that none ever expires early. What expires is proposed as a revocation, so
 * that all members remove its keys at the same place in the log.
 */
export class Lessor {
  readonly #host: LessorHost;
  /** Lease to the time of its expiry; null on a follower. */
  #deadlines: Map<bigint, number> | null = null;
  /** Leases whose revocation is proposed, and when to propose it again. */
  readonly #revoking = new Map<bigint, number>();
  #timerSet = false;

  constructor(host: LessorHost) {
    this.#host = host;
  }

  /** Leases whose time is counted here. */
  get leaseCount(): number {
    return this.#deadlines?.size ?? 0;
  }

  get leading(): boolean {
    return this.#deadlines !== null;
  }

  /**
   * The member became the leader (its state may lag behind its log still: grants that follow are
   * seen by `applied`).
   */
  promote(): void {
    this.#deadlines = new Map();
    this.#revoking.clear();
    for (const { id, ttlSeconds } of this.#host.machine().leases()) this.#renew(id, ttlSeconds);
    this.#arm();
  }

  demote(): void {
    this.#deadlines = null;
  }

  /** A command has been applied: grants and revocations change what there is to watch. */
  applied({ command: { request }, error }: ApplyResult): void {
    if (this.#deadlines === null || error) return;
    if (request.case === 'leaseGrant') {
      this.#renew(request.value.ID, request.value.TTL);
      this.#arm();
    } else if (request.case === 'leaseRevoke') {
      this.#deadlines.delete(request.value.ID);
      this.#revoking.delete(request.value.ID);
    }
  }

  /** Seconds left, rounded down; null when this member does not know. */
  remainingTtl(id: bigint): bigint | null {
    const deadline = this.#deadlines?.get(id);
    if (deadline === undefined) return null;
    return BigInt(Math.max(0, Math.floor((deadline - this.#host.nowMs()) / 1000)));
  }

  /** etcd's order of a list of leases: soonest expiry first; by id where expiry is not known. */
  byExpiry(ids: readonly bigint[]): bigint[] {
    const deadline = (id: bigint) => this.#deadlines?.get(id) ?? 0;
    return [...ids].sort((a, b) => deadline(a) - deadline(b) || (a < b ? -1 : 1));
  }

  /**
   * The TTL that is granted: at least one and a half election timeouts, in whole seconds, as in
   * etcd.
   */
  grantedTtl(requested: bigint): bigint {
    const least = BigInt(Math.ceil((1.5 * this.#host.electionTimeoutMs) / 1000));
    return requested < least ? least : requested;
  }

  /** A positive 63-bit id that is not taken. */
  drawId(): bigint {
    const { prng } = this.#host;
    const high = BigInt(intBetween(prng, 1, 2 ** 31 - 1));
    const low = BigInt(intBetween(prng, 0, 2 ** 32 - 1));
    const id = (high << 32n) | low;
    return this.#host.machine().leaseTimeToLive(id, false) === null ? id : this.drawId();
  }

  #renew(id: bigint, ttl: bigint): void {
    const seconds = Math.min(Number(ttl), limits.leaseTtlSecondsMax);
    this.#deadlines?.set(id, this.#host.nowMs() + seconds * 1000);
  }

  #arm(): void {
    if (this.#timerSet || this.#deadlines === null || this.#deadlines.size === 0) return;
    this.#timerSet = true;
    this.#host.setTimer(() => {
      this.#timerSet = false;
      this.#expire();
      this.#arm();
    }, CHECK_INTERVAL_MS);
  }

  #expire(): void {
    const nowMs = this.#host.nowMs();
    let proposed = 0;
    for (const [id, deadline] of this.#deadlines ?? []) {
      if (proposed >= REVOKES_PER_CHECK_MAX) return;
      if (deadline > nowMs || (this.#revoking.get(id) ?? 0) > nowMs) continue;
      this.#revoking.set(id, nowMs + RETRY_MS);
      this.#host.revoke(id);
      proposed++;
    }
  }
}
