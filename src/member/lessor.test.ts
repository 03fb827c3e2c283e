import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { encodeCommand } from '../api/command.ts';
import { type Command, LeaseExpireSchema } from '../api/gen/command_pb.ts';
import { LeaseGrantRequestSchema, LeaseRevokeRequestSchema } from '../api/gen/rpc_pb.ts';
import { limits } from '../config.ts';
import { must } from '../lib/assert.ts';
import { seededPrng } from '../lib/prng.ts';
import { StateMachine } from '../state/machine.ts';
import { MemoryStateStore } from '../state/memory_store.ts';
import { Lessor } from './lessor.ts';

/** A lessor on a state machine, with a clock that the test moves. */
class Rig {
  nowMs = 0;
  term = 1;
  readonly machine = new StateMachine(new MemoryStateStore());
  readonly lessor: Lessor;
  /** Ends that were proposed so far. */
  readonly proposals: { id: bigint; generation: number; term: number }[] = [];
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  constructor(electionTimeoutMs = 1_000) {
    this.lessor = new Lessor({
      machine: () => this.machine,
      nowMs: () => this.nowMs,
      prng: seededPrng(1),
      electionTimeoutMs,
      expire: ({ id, generation }, term) => void this.proposals.push({ id, generation, term }),
      setTimer: (callback, ms) => this.#timers.push({ atMs: this.nowMs + ms, callback }),
    });
  }

  get proposed(): bigint[] {
    return this.proposals.map(({ id }) => id);
  }

  promote(): void {
    this.lessor.promote(this.term);
  }

  get timerCount(): number {
    return this.#timers.length;
  }

  /** The whole member stands still; then everything that is late happens at once. */
  pause(ms: number): void {
    this.nowMs += ms;
    this.pass(0);
  }

  pass(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > end) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.callback();
    }
    this.nowMs = end;
  }

  /** A command of this member's log; `term` is the one it was proposed for, if only for that. */
  apply(request: Command['request'], onlyInTerm = 0): void {
    const index = this.machine.appliedIndex + 1;
    const fields = { memberId: 'm', epoch: 1n, sequence: BigInt(index), request };
    const data = encodeCommand({ ...fields, onlyInTerm: BigInt(onlyInTerm) });
    const result = this.machine.apply({ index, term: this.term, data });
    if (result) this.lessor.applied(result);
  }

  grant(ID: bigint, TTL: bigint): void {
    this.apply({ case: 'leaseGrant', value: create(LeaseGrantRequestSchema, { ID, TTL }) });
  }

  revoke(ID: bigint): void {
    const value = create(LeaseRevokeRequestSchema, { ID });
    this.apply({ case: 'leaseRevoke', value });
  }

  /** What was proposed last takes effect, or not. */
  expire({ id, generation, term } = must(this.proposals.at(-1), 'nothing was proposed')): void {
    const value = create(LeaseExpireSchema, { leaseId: id, generation: BigInt(generation) });
    this.apply({ case: 'leaseExpire', value }, term);
  }

  get leases(): bigint[] {
    return this.machine.leases().map(({ id }) => id);
  }
}

describe('a lease expires', () => {
  it('only while the member leads', () => {
    const rig = new Rig();
    rig.grant(1n, 2n);
    rig.pass(60_000);
    expect(rig.proposed).toEqual([]);
    expect(rig.lessor.remainingTtl(1n)).toBeNull();
    expect(rig.timerCount).toBe(0);
    rig.promote();
    rig.pass(4_000);
    expect(rig.proposed).toEqual([1n]);
  });

  it('after its full TTL when the leader is new, never earlier', () => {
    const rig = new Rig();
    rig.promote();
    rig.grant(1n, 10n);
    rig.pass(9_000);
    rig.lessor.demote();
    rig.pass(5_000);
    rig.promote();
    expect(rig.lessor.remainingTtl(1n)).toBe(10n);
    rig.pass(9_999);
    expect(rig.proposed).toEqual([]);
    rig.pass(501);
    expect(rig.proposed).toEqual([1n]);
  });

  it('with its TTL counted from the grant, in whole seconds rounded down', () => {
    const rig = new Rig();
    rig.promote();
    rig.pass(300);
    rig.grant(1n, 5n);
    rig.pass(1);
    expect(rig.lessor.remainingTtl(1n)).toBe(4n);
    rig.pass(3_999);
    expect(rig.lessor.remainingTtl(1n)).toBe(1n);
    rig.pass(1_000);
    expect(rig.lessor.remainingTtl(1n)).toBe(0n);
    rig.pass(500);
    expect(rig.proposed).toEqual([1n]);
    expect(rig.lessor.remainingTtl(1n)).toBe(0n);
  });

  it('in one proposal at a time, and again when that one came to nothing', () => {
    const rig = new Rig();
    rig.promote();
    rig.grant(1n, 2n);
    rig.pass(4_500);
    expect(rig.proposed).toEqual([1n]);
    rig.pass(1_000);
    expect(rig.proposed).toEqual([1n, 1n]);
    rig.revoke(1n);
    rig.pass(10_000);
    expect(rig.proposed).toHaveLength(2);
    expect(rig.leases).toEqual([]);
  });

  it('not when it was revoked before', () => {
    const rig = new Rig();
    rig.promote();
    rig.grant(1n, 2n);
    rig.revoke(1n);
    rig.pass(10_000);
    expect(rig.proposed).toEqual([]);
    expect(rig.lessor.remainingTtl(1n)).toBeNull();
    // Nothing to watch: no timer keeps the member awake.
    expect(rig.timerCount).toBe(0);
  });

  it('in bounded numbers per check', () => {
    const rig = new Rig();
    rig.promote();
    for (let id = 1n; id <= 700n; id++) rig.grant(id, 2n);
    rig.pass(2_000);
    expect(rig.proposed).toHaveLength(500);
    rig.pass(500);
    expect(rig.proposed).toHaveLength(700);
    expect(new Set(rig.proposed).size).toBe(700);
  });

  it('not by a leader that was deposed without knowing: its proposal is void later', () => {
    const rig = new Rig();
    rig.promote();
    rig.grant(1n, 2n);
    rig.pass(2_000);
    expect(rig.proposals).toEqual([{ id: 1n, generation: 1, term: 1 }]);
    rig.term++;
    rig.expire();
    expect(rig.leases).toEqual([1n]);
    rig.promote();
    rig.pass(2_000);
    rig.expire();
    expect(rig.leases).toEqual([]);
    expect(rig.lessor.totals).toEqual({ renewals: 0, expiries: 1 });
  });

  it('not when another one has its id by then', () => {
    const rig = new Rig();
    rig.promote();
    rig.grant(1n, 2n);
    rig.pass(2_000);
    rig.revoke(1n);
    rig.grant(1n, 2n);
    rig.expire();
    expect(rig.leases).toEqual([1n]);
    expect(rig.lessor.remainingTtl(1n)).toBe(2n);
  });

  it('not while the leader cannot hear who renews it: a pause does not count', () => {
    const rig = new Rig();
    rig.promote();
    rig.grant(1n, 5n);
    rig.pause(60_000);
    expect(rig.proposed).toEqual([]);
    expect(rig.lessor.renew(1n)).toBe(5n);
    rig.pass(5_500);
    expect(rig.proposed).toEqual([1n]);
  });

  it('when the same member leads again: with its full TTL, and in the new term', () => {
    const rig = new Rig();
    rig.promote();
    rig.grant(1n, 4n);
    rig.pass(3_000);
    rig.term = 2;
    rig.promote();
    rig.pass(3_500);
    expect(rig.proposed).toEqual([]);
    rig.pass(1_000);
    expect(rig.proposals).toEqual([{ id: 1n, generation: 1, term: 2 }]);
  });
});

describe('a renewal', () => {
  it('gives the full TTL again', () => {
    const rig = new Rig();
    rig.promote();
    rig.grant(1n, 4n);
    for (let second = 0; second < 20; second += 3) {
      rig.pass(3_000);
      expect(rig.lessor.renew(1n)).toBe(4n);
    }
    expect(rig.proposed).toEqual([]);
    expect(rig.lessor.totals.renewals).toBe(7);
  });

  it('that is being confirmed keeps the lease meanwhile', () => {
    const rig = new Rig();
    rig.promote();
    rig.grant(1n, 2n);
    rig.pass(1_900);
    rig.lessor.touch(1n);
    rig.pass(1_900);
    expect(rig.proposed).toEqual([]);
    expect(rig.lessor.renew(1n)).toBe(2n);
  });

  it('of an unknown lease, or by a follower, finds none', () => {
    const rig = new Rig();
    rig.grant(1n, 2n);
    expect(rig.lessor.renew(1n)).toBe(0n);
    rig.promote();
    expect(rig.lessor.renew(2n)).toBe(0n);
    expect(rig.lessor.renew(1n)).toBe(2n);
  });

  it('comes too late once the lease has expired, and waits until it is gone', async () => {
    const rig = new Rig();
    rig.promote();
    rig.grant(1n, 2n);
    rig.pass(1_600);
    rig.nowMs = 2_000;
    // The next check is still to come: the renewal itself has it ended.
    expect(rig.lessor.renew(1n)).toBeNull();
    expect(rig.proposed).toEqual([1n]);
    let isGone = false;
    const gone = rig.lessor.gone(1n).then(() => {
      isGone = true;
    });
    rig.lessor.touch(1n);
    expect(rig.lessor.renew(1n)).toBeNull();
    await Promise.resolve();
    expect(isGone).toBe(false);
    rig.expire();
    await gone;
    expect(rig.lessor.renew(1n)).toBe(0n);
  });

  it('that waits does so no longer than this member leads', async () => {
    const rig = new Rig();
    rig.promote();
    rig.grant(1n, 2n);
    rig.pass(2_000);
    expect(rig.lessor.renew(1n)).toBeNull();
    const gone = rig.lessor.gone(1n);
    rig.lessor.demote();
    await gone;
    expect(rig.leases).toEqual([1n]);
  });
});

describe('a new leader of many leases', () => {
  const COUNT = 20_000;

  it('counts them a slice at a time, and what happens meanwhile at once', () => {
    const rig = new Rig();
    for (let id = 1n; id <= BigInt(COUNT); id++) rig.grant(id, 60n);
    rig.promote();
    expect(rig.lessor.leaseCount).toBe(limits.leasesPerSlice);
    expect(rig.lessor.renew(BigInt(COUNT))).toBe(60n);
    rig.revoke(BigInt(COUNT - 1));
    rig.grant(BigInt(COUNT + 1), 60n);
    rig.pass(0);
    expect(rig.lessor.leaseCount).toBe(COUNT);
    expect(rig.lessor.remainingTtl(BigInt(COUNT - 1))).toBeNull();
  });

  it('stops when it does not lead any more', () => {
    const rig = new Rig();
    for (let id = 1n; id <= BigInt(COUNT); id++) rig.grant(id, 60n);
    rig.promote();
    rig.lessor.demote();
    rig.pass(100);
    expect(rig.lessor.leaseCount).toBe(0);
  });
});

describe('a grant', () => {
  it('that fails is not watched', () => {
    const rig = new Rig();
    rig.promote();
    rig.grant(1n, 10n);
    rig.pass(5_000);
    rig.grant(1n, 1_000n);
    expect(rig.lessor.remainingTtl(1n)).toBe(5n);
  });

  it.each([
    [1_000, 1n, 2n],
    [1_000, 2n, 2n],
    [1_000, 3n, 3n],
    [2_000, 1n, 3n],
    [5_000, 5n, 8n],
    [100, 1n, 1n],
    [1_000, 9_000_000_000n, 9_000_000_000n],
  ])('with an election timeout of %d ms and a TTL of %d gets %d', (timeoutMs, asked, granted) => {
    expect(new Rig(timeoutMs).lessor.grantedTtl(asked)).toBe(granted);
  });

  it('of the largest TTL does not expire', () => {
    const rig = new Rig();
    rig.promote();
    rig.grant(1n, 9_000_000_000n);
    expect(rig.lessor.remainingTtl(1n)).toBe(9_000_000_000n);
    rig.pass(60_000);
    expect(rig.proposed).toEqual([]);
  });

  it('without an id gets one that is positive, large and free', () => {
    const rig = new Rig();
    const twin = new Rig();
    const first = twin.lessor.drawId();
    rig.grant(first, 10n);
    const drawn = rig.lessor.drawId();
    expect(drawn).not.toBe(first);
    expect(drawn).toBe(first + 1n);
    rig.nowMs += 1;
    expect(rig.lessor.drawId()).toBeGreaterThan(drawn);
    for (const id of [first, drawn]) {
      expect(id).toBeGreaterThan(2n ** 31n);
      expect(id).toBeLessThan(2n ** 63n);
    }
  });
});

describe('a list of leases', () => {
  it('is in the order of expiry, of TTLs where that is not known', () => {
    const rig = new Rig();
    const list = () => rig.lessor.byExpiry(rig.machine.leases());
    rig.grant(1n, 30n);
    rig.grant(3n, 20n);
    rig.grant(2n, 20n);
    expect(list()).toEqual([2n, 3n, 1n]);
    rig.promote();
    rig.pass(1_000);
    rig.lessor.renew(2n);
    expect(list()).toEqual([3n, 2n, 1n]);
  });
});
