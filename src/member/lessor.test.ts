import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { encodeCommand } from '../api/command.ts';
import type { Command } from '../api/gen/command_pb.ts';
import { LeaseGrantRequestSchema, LeaseRevokeRequestSchema } from '../api/gen/rpc_pb.ts';
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
  /** Revocations proposed so far. */
  proposed: bigint[] = [];
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  constructor(electionTimeoutMs = 1_000) {
    this.lessor = new Lessor({
      machine: () => this.machine,
      nowMs: () => this.nowMs,
      prng: seededPrng(1),
      electionTimeoutMs,
      revoke: (id) => void this.proposed.push(id),
      setTimer: (callback, ms) => this.#timers.push({ atMs: this.nowMs + ms, callback }),
    });
  }

  get timerCount(): number {
    return this.#timers.length;
  }

  pass(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > end) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.nowMs = next.atMs;
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

  revoke(ID: bigint, onlyInTerm = 0): void {
    const value = create(LeaseRevokeRequestSchema, { ID });
    this.apply({ case: 'leaseRevoke', value }, onlyInTerm);
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
    rig.lessor.promote();
    rig.pass(4_000);
    expect(rig.proposed).toEqual([1n]);
  });

  it('after its full TTL when the leader is new, never earlier', () => {
    const rig = new Rig();
    rig.lessor.promote();
    rig.grant(1n, 10n);
    rig.pass(9_000);
    rig.lessor.demote();
    rig.pass(5_000);
    rig.lessor.promote();
    expect(rig.lessor.remainingTtl(1n)).toBe(10n);
    rig.pass(9_999);
    expect(rig.proposed).toEqual([]);
    rig.pass(501);
    expect(rig.proposed).toEqual([1n]);
  });

  it('with its TTL counted from the grant, in whole seconds rounded down', () => {
    const rig = new Rig();
    rig.lessor.promote();
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
    rig.lessor.promote();
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
    rig.lessor.promote();
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
    rig.lessor.promote();
    for (let id = 1n; id <= 700n; id++) rig.grant(id, 2n);
    rig.pass(2_000);
    expect(rig.proposed).toHaveLength(500);
    rig.pass(500);
    expect(rig.proposed).toHaveLength(700);
    expect(new Set(rig.proposed).size).toBe(700);
  });

  it('not by a leader that was deposed without knowing: its proposal is void in a later term', () => {
    const rig = new Rig();
    rig.lessor.promote();
    rig.grant(1n, 2n);
    rig.pass(4_000);
    expect(rig.proposed).toEqual([1n]);
    const proposedIn = rig.term;
    rig.term++;
    rig.revoke(1n, proposedIn);
    expect(rig.leases).toEqual([1n]);
    expect(rig.lessor.remainingTtl(1n)).toBe(0n);
    rig.revoke(1n, rig.term);
    expect(rig.leases).toEqual([]);
  });
});

describe('a grant', () => {
  it('that fails is not watched', () => {
    const rig = new Rig();
    rig.lessor.promote();
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
    rig.lessor.promote();
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
    for (const id of [first, drawn]) {
      expect(id).toBeGreaterThan(2n ** 31n);
      expect(id).toBeLessThan(2n ** 63n);
    }
  });
});

describe('a list of leases', () => {
  it('is in the order of expiry where that is known, of ids elsewhere', () => {
    const rig = new Rig();
    rig.grant(3n, 10n);
    rig.grant(1n, 30n);
    rig.grant(2n, 20n);
    expect(rig.lessor.byExpiry([3n, 1n, 2n])).toEqual([1n, 2n, 3n]);
    rig.lessor.promote();
    expect(rig.lessor.byExpiry([1n, 2n, 3n])).toEqual([3n, 2n, 1n]);
  });
});
