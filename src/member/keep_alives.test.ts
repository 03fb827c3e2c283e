import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import { EtcdError } from '../api/error.ts';
import { type RenewLeasesRequest, RenewLeasesResponseSchema } from '../api/gen/command_pb.ts';
import { limits } from '../config.ts';
import { type KeepAliveMember, KeepAlives } from './keep_alives.ts';
import { Solo } from './services/testing/solo.ts';

/** A member that leads, or another one that asks it. */
class Keeper extends Solo {
  /** What the leader is asked; it answers 60 for each lease, or fails. */
  readonly asked: (readonly bigint[])[] = [];
  askFails: EtcdError | null = null;
  confirmations = 0;

  askLeader = (async (_method: unknown, request: unknown) => {
    const { leaseIds } = request as RenewLeasesRequest;
    this.asked.push(leaseIds);
    if (this.askFails) throw this.askFails;
    return create(RenewLeasesResponseSchema, { ttls: leaseIds.map(() => 60n) });
  }) as unknown as KeepAliveMember['askLeader'];

  override async linearizable(): Promise<void> {
    this.confirmations++;
    await super.linearizable();
  }
}

let member: Keeper;
let keepAlives: KeepAlives;
/** What came of each call, in the order in which they ended. */
let outcomes: (bigint | string)[];

beforeEach(() => {
  member = new Keeper();
  keepAlives = new KeepAlives(member);
  outcomes = [];
  for (const lease of [1n, 2n, 3n]) member.single.grant(lease, 5n);
});

function renew(id: bigint): void {
  keepAlives.renew(id).then(
    (ttl) => outcomes.push(ttl),
    (error) => outcomes.push(error.message),
  );
}

describe('at the leader', () => {
  beforeEach(() => member.lessor.promote(1));

  it('those that come together are confirmed by one question', async () => {
    for (const id of [1n, 2n, 9n]) renew(id);
    await member.pass(0);
    expect(outcomes).toEqual([5n, 5n, 0n]);
    expect(member.confirmations).toBe(1);
    expect(member.lessor.totals.renewals).toBe(2);
  });

  it('no lease ends while it is being renewed', async () => {
    await member.pass(4_900);
    renew(1n);
    await member.pass(4_900);
    expect(member.lessor.remainingTtl(2n)).toBe(0n);
    expect(outcomes).toEqual([5n]);
  });

  it('one that was deposed meanwhile does not vouch for anything', async () => {
    member.beforeConfirmed = () => {
      member.beforeConfirmed = () => {};
      member.lessor.demote();
      member.node.soft.leader = 'm2';
    };
    renew(1n);
    await member.pass(1_000);
    // The leader that followed was asked.
    expect(member.asked).toEqual([[1n]]);
    expect(outcomes).toEqual([60n]);
  });

  it('one that leads a later term asks anew', async () => {
    member.beforeConfirmed = () => {
      member.beforeConfirmed = () => {};
      member.lessor.promote(3);
    };
    renew(1n);
    await member.pass(1_000);
    expect(member.confirmations).toBe(2);
    expect(outcomes).toEqual([5n]);
  });

  it('an expired lease is answered when it is gone', async () => {
    await member.pass(5_000);
    renew(1n);
    renew(4n);
    await member.pass(100);
    expect(outcomes).toEqual([]);
    member.apply({
      case: 'leaseRevoke',
      value: { $typeName: 'etcdserverpb.LeaseRevokeRequest', ID: 1n },
    });
    await member.pass(0);
    expect(outcomes).toEqual([0n, 0n]);
  });

  it('an expired lease that cannot be ended is not waited for without end', async () => {
    await member.pass(5_000);
    renew(1n);
    await member.pass(7_000);
    expect(outcomes).toEqual(['etcdserver: request timed out']);
  });

  it('without a quorum nothing is renewed', async () => {
    member.node.soft.leader = null;
    renew(1n);
    await member.pass(8_000);
    expect(outcomes).toEqual(['etcdserver: no leader']);
  });
});

describe('at another member', () => {
  beforeEach(() => {
    member.node.soft.leader = 'm2';
  });

  it('those that come together share one frame', async () => {
    for (const id of [1n, 2n, 9n]) renew(id);
    await member.pass(0);
    renew(3n);
    await member.pass(0);
    expect(member.asked).toEqual([[1n, 2n, 9n], [3n]]);
    expect(outcomes).toEqual([60n, 60n, 60n, 60n]);
  });

  it('frames are bounded', async () => {
    for (let i = 0; i <= limits.keepAlivesPerFrame; i++) renew(1n);
    await member.pass(0);
    expect(member.asked.map(({ length }) => length)).toEqual([limits.keepAlivesPerFrame, 1]);
  });

  it('a leader that fails is asked again, and its successor', async () => {
    member.askFails = EtcdError.of('timeoutDueToConnectionLost');
    renew(1n);
    await member.pass(500);
    expect(outcomes).toEqual([]);
    expect(member.asked.length).toBeGreaterThan(2);
    member.askFails = null;
    await member.pass(100);
    expect(outcomes).toEqual([60n]);
  });

  it('a leader that stays away is waited for through some elections', async () => {
    member.askFails = EtcdError.of('noLeader');
    member.node.soft.leader = null;
    renew(1n);
    await member.pass(2_800);
    expect(outcomes).toEqual([]);
    await member.pass(300);
    expect(outcomes).toEqual(['etcdserver: no leader']);
  });

  it('a leader that does not answer is asked as long as any request lasts', async () => {
    member.askFails = EtcdError.of('timeoutDueToConnectionLost');
    renew(1n);
    await member.pass(6_800);
    expect(outcomes).toEqual([]);
    await member.pass(300);
    expect(outcomes).toEqual([EtcdError.of('timeoutDueToConnectionLost').message]);
  });

  it('so many wait, and no more', async () => {
    for (let i = 0; i < limits.keepAlivesPendingMax; i++) void keepAlives.renew(1n);
    renew(1n);
    await member.pass(0);
    expect(outcomes).toEqual(['etcdserver: too many requests']);
    renew(1n);
    await member.pass(0);
    expect(outcomes.at(-1)).toBe(60n);
  });
});
