import { limits } from '../config.ts';
import { intBetween, type Prng } from '../lib/prng.ts';
import type { Lease } from '../state/lease.ts';
import type { StateMachine } from '../state/machine.ts';
import type { ApplyResult } from '../state/result.ts';
import { type Expiring, ExpiryQueue } from './expiry_queue.ts';
import { LeaseClock } from './lease_clock.ts';

/** A proposal that did not take effect (an alarm, no quorum) is made again, as in etcd. */
const RETRY_MS = 3_000;

export interface LessorHost {
  readonly machine: () => StateMachine;
  readonly nowMs: () => number;
  readonly prng: Prng;
  readonly electionTimeoutMs: number;
  /** Proposes the end of a lease that has expired, to be void in any other term. */
  readonly expire: (lease: { id: bigint; generation: number }, term: number) => void;
  readonly setTimer: (callback: () => void, ms: number) => void;
  /** Test only: see bugs.ts. */
  readonly bugs?: ReadonlySet<string>;
}

/** A lease whose time is counted. */
interface Counted extends Expiring {
  readonly id: bigint;
  readonly generation: number;
  readonly ttlMs: number;
  /** Its end has been proposed in this term: from then on nothing renews it. */
  isEnding: boolean;
}

/**
 * Expiry of leases. Only the leader counts time: when it takes over every lease gets its full TTL
 * again, as in etcd, so that none ever ends early. What expires is proposed as a command, so that
 * all members remove its keys at the same place in the log.
 *
 * Why no lease that is kept alive can end: the command names the lease's generation and the term of
 * the leader that counted. In its term, a lease is not renewed once its end is proposed. In a later
 * term the command is void if it is appended then; if it had been appended before, it comes before
 * everything that the later leader confirms, so no keepalive succeeds between the two.
 */
export class Lessor {
  readonly #host: LessorHost;
  readonly #clock: LeaseClock;
  /** Null on a follower. */
  #counted: Map<bigint, Counted> | null = null;
  #queue = new ExpiryQueue<Counted>();
  #term = 0;
  /** Leases up to this one have been read from the state; null: all. */
  #readUpTo: { readonly id: bigint | null } | null = null;
  #timerSet = false;
  /** Those that wait until a lease is gone, or this member does not lead any more. */
  readonly #waiting = new Map<bigint, (() => void)[]>();
  /** In the ids that are drawn here: those of other members, and of earlier instances, differ. */
  readonly #instance: bigint;
  #lastDrawn = 0n;
  #renewals = 0;
  #expiries = 0;

  constructor(host: LessorHost) {
    this.#host = host;
    this.#clock = new LeaseClock(host.nowMs);
    this.#instance = BigInt(intBetween(host.prng, 1, 2 ** 15 - 1));
  }

  /** Leases whose time is counted here. */
  get leaseCount(): number {
    return this.#counted?.size ?? 0;
  }

  get leading(): boolean {
    return this.#counted !== null;
  }

  /** The term in which this member counts, or did so last. */
  get term(): number {
    return this.#term;
  }

  /** Keepalives that succeeded, and leases that ran out, under this leader. */
  get totals(): { readonly renewals: number; readonly expiries: number } {
    return { renewals: this.#renewals, expiries: this.#expiries };
  }

  /**
   * The member became the leader of the term (its state may lag behind its log still: grants that
   * follow are seen by `applied`).
   */
  promote(term: number): void {
    this.demote();
    this.#term = term;
    this.#counted = new Map();
    this.#readUpTo = { id: null };
    this.#readSome(term);
    this.#arm();
  }

  demote(): void {
    this.#counted = null;
    this.#queue = new ExpiryQueue();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const wake of waiting.flat()) wake();
  }

  /** A command has been applied: grants and revocations change what there is to count. */
  applied({ command: { request }, error }: ApplyResult): void {
    if (this.#counted === null || error) return;
    if (request.case === 'leaseGrant') {
      this.#find(request.value.ID);
      this.#arm();
    } else if (request.case === 'leaseRevoke') {
      this.#forget(request.value.ID);
    } else if (request.case === 'leaseExpire') {
      this.#expiries++;
      this.#forget(request.value.leaseId);
    }
  }

  /**
   * A keepalive has come in: unless it has expired before, the lease must not end while the request
   * is being confirmed.
   */
  touch(id: bigint): void {
    const lease = this.#find(id);
    if (lease && !this.#isOver(lease)) this.#extend(lease);
  }

  /**
   * The lease has its full TTL again, which is returned, in seconds. Zero: there is no such lease.
   * Null: it has expired, and {@link gone} tells when its keys are gone too.
   */
  renew(id: bigint): bigint | null {
    const lease = this.#find(id);
    if (lease === null) return 0n;
    if (this.#isOver(lease)) {
      if (!lease.isEnding) this.#end(lease);
      return null;
    }
    this.#renewals++;
    this.#extend(lease);
    return BigInt(lease.ttlMs / 1000);
  }

  /** Resolves when the lease does not exist any more, or does not end in this term. */
  gone(id: bigint): Promise<void> {
    if (!this.#counted?.has(id)) return Promise.resolve();
    return new Promise((resolve) => {
      const others = this.#waiting.get(id);
      if (others) others.push(resolve);
      else this.#waiting.set(id, [resolve]);
    });
  }

  /** Seconds left, rounded down; null when this member does not know. */
  remainingTtl(id: bigint): bigint | null {
    const lease = this.#find(id);
    if (lease === null) return null;
    return BigInt(Math.max(0, Math.floor((lease.deadlineMs - this.#clock.nowMs()) / 1000)));
  }

  /**
   * etcd's order of a list of leases: soonest expiry first. Those whose time is not counted here
   * are taken for new.
   */
  byExpiry(leases: readonly Lease[]): bigint[] {
    const nowMs = this.#clock.nowMs();
    return leases
      .map(({ id, ttlSeconds }) => {
        const deadlineMs = this.#counted?.get(id)?.deadlineMs ?? nowMs + Number(ttlSeconds) * 1000;
        return { id, deadlineMs };
      })
      .sort((a, b) => a.deadlineMs - b.deadlineMs || (a.id < b.id ? -1 : 1))
      .map(({ id }) => id);
  }

  /**
   * The TTL that is granted: at least one and a half election timeouts, in whole seconds, as in
   * etcd.
   */
  grantedTtl(requested: bigint): bigint {
    const least = BigInt(Math.ceil((1.5 * this.#host.electionTimeoutMs) / 1000));
    return requested < least ? least : requested;
  }

  /**
   * A positive 63-bit id that is not taken. As with etcd a later one is larger, so that the keys of
   * locks, which end in it, list in the order of their leases: 15 bits of this instance, then 40 of
   * milliseconds and 8 of a counter.
   */
  drawId(): bigint {
    const nowMs = BigInt(Math.floor(this.#host.nowMs()));
    const now = BigInt.asUintN(40, nowMs) << 8n;
    this.#lastDrawn = now > this.#lastDrawn ? now : this.#lastDrawn + 1n;
    const id = (this.#instance << 48n) | BigInt.asUintN(48, this.#lastDrawn);
    return this.#host.machine().lease(id) === null ? id : this.drawId();
  }

  /** The lease, counted from now on if it was not before; null: none, or not the leader. */
  #find(id: bigint): Counted | null {
    const counted = this.#counted?.get(id);
    if (counted || this.#counted === null) return counted ?? null;
    const lease = this.#host.machine().lease(id);
    return lease && this.#count(lease);
  }

  #count({ id, generation, ttlSeconds }: Lease): Counted {
    const seconds = Math.min(Number(ttlSeconds), limits.leaseTtlSecondsMax);
    const ttlMs = seconds * 1000;
    const deadlineMs = this.#clock.nowMs() + ttlMs;
    const lease = { id, generation, ttlMs, deadlineMs, isGone: false, isEnding: false };
    this.#counted?.set(id, lease);
    this.#queue.add(lease);
    return lease;
  }

  /**
   * Begins to count what the state holds, a slice at a time: a new leader has more to do. What is
   * granted, renewed or revoked meanwhile is counted at once.
   */
  #readSome(term: number): void {
    if (this.#counted === null || this.#term !== term || this.#readUpTo === null) return;
    const slice = this.#host.machine().leases(this.#readUpTo.id, limits.leasesPerSlice);
    for (const lease of slice) if (!this.#counted.has(lease.id)) this.#count(lease);
    const last = slice.at(-1);
    const isMore = slice.length === limits.leasesPerSlice && last !== undefined;
    this.#readUpTo = isMore ? { id: last.id } : null;
    if (isMore) this.#host.setTimer(() => this.#readSome(term), 0);
  }

  #forget(id: bigint): void {
    const lease = this.#counted?.get(id);
    if (lease) {
      lease.isGone = true;
      this.#counted?.delete(id);
      this.#queue.noteGone();
    }
    const waiting = this.#waiting.get(id) ?? [];
    this.#waiting.delete(id);
    for (const wake of waiting) wake();
  }

  #extend(lease: Counted): void {
    lease.deadlineMs = this.#clock.nowMs() + lease.ttlMs;
  }

  #isOver({ isEnding, deadlineMs }: Counted): boolean {
    if (isEnding && this.#host.bugs?.has('renew-while-ending')) return false;
    return isEnding || deadlineMs <= this.#clock.nowMs();
  }

  #arm(): void {
    if (this.#timerSet || this.leaseCount === 0) return;
    this.#timerSet = true;
    this.#host.setTimer(() => {
      this.#timerSet = false;
      this.#check();
      this.#arm();
    }, limits.leaseCheckMs);
  }

  #check(): void {
    const nowMs = this.#clock.nowMs();
    for (const lease of this.#queue.takeDue(nowMs, limits.leaseExpiriesPerCheck)) {
      this.#queue.add(lease, nowMs + RETRY_MS);
      this.#end(lease);
    }
  }

  #end(lease: Counted): void {
    lease.isEnding = true;
    this.#host.expire(lease, this.#term);
  }
}
