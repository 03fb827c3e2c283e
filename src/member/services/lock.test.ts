import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import type { CallContext } from '../../api/call.ts';
import { EtcdError } from '../../api/error.ts';
import {
  LockRequestSchema,
  type LockResponse,
  UnlockRequestSchema,
} from '../../api/gen/lock_pb.ts';
import { limits } from '../../config.ts';
import { must } from '../../lib/assert.ts';
import { textOf, utf8 } from '../../lib/bytes.ts';
import { Contests } from './contests.ts';
import { lockService } from './lock.ts';
import type { Route } from './service.ts';
import { Solo, settled } from './testing/solo.ts';

const CONTEXT: CallContext = { token: null, timeoutMs: null, requireLeader: false };
const EXPIRED = { code: 2, message: 'mutex: session is expired' };

/** A call under way: what came of it, once something has. */
interface Call {
  readonly hangUp: () => void;
  answer: string | null;
  error: EtcdError | null;
  revision: bigint | null;
}

describe('a lock', () => {
  let member: Solo;
  let contests: Contests;
  let routes: readonly Route[];

  beforeEach(() => {
    member = new Solo();
    contests = new Contests(member);
    routes = lockService(member, contests);
    for (const lease of [1n, 2n, 3n, 4n]) member.single.grant(lease);
  });

  async function lock(
    lease: bigint,
    context: Partial<CallContext> = {},
    name = 'L',
  ): Promise<Call> {
    const hungUp = new AbortController();
    const call: Call = { hangUp: () => hungUp.abort(), answer: null, error: null, revision: null };
    const request = create(LockRequestSchema, { name: utf8(name), lease });
    const { serve } = must(routes[0], 'no route');
    serve(request as never, { ...CONTEXT, ...context }, hungUp.signal).then(
      (response) => {
        const { key, header } = response as LockResponse;
        call.answer = textOf(key);
        call.revision = must(header, 'no header').revision;
      },
      (error) => {
        call.error = error;
      },
    );
    await settled();
    return call;
  }

  async function unlock(key: string): Promise<void> {
    const request = create(UnlockRequestSchema, { key: utf8(key) });
    await must(routes[1], 'no route').serve(request as never, CONTEXT);
    await settled();
  }

  it('is held by one at a time, in the order of asking', async () => {
    const first = await lock(3n);
    const second = await lock(1n);
    const third = await lock(2n);
    expect([first.answer, second.answer, third.answer]).toEqual(['L/3', null, null]);
    expect(member.keys()).toEqual(['L/1=', 'L/2=', 'L/3=']);
    await unlock('L/3');
    expect([second.answer, third.answer]).toEqual(['L/1', null]);
    expect(second.revision).toBe(BigInt(member.machine.revision));
    await unlock('L/1');
    expect(third.answer).toBe('L/2');
    expect(contests.waiting).toBe(0);
    expect(member.watches.stats.watchers).toBe(0);
  });

  it('that its holder asks for again is answered at once, and nothing is written', async () => {
    const first = await lock(1n);
    const { revision } = member.machine;
    const again = await lock(1n);
    expect(again.answer).toBe(first.answer);
    expect(member.machine.revision).toBe(revision);
  });

  it('that one who waits asks for again waits once more', async () => {
    await lock(1n);
    const second = await lock(2n);
    const again = await lock(2n);
    expect(contests.waiting).toBe(2);
    await unlock('L/1');
    expect([second.answer, again.answer]).toEqual(['L/2', 'L/2']);
  });

  it('passes on when the lease of its holder ends', async () => {
    await lock(1n);
    const second = await lock(2n);
    member.apply({
      case: 'leaseRevoke',
      value: { $typeName: 'etcdserverpb.LeaseRevokeRequest', ID: 1n },
    });
    await settled();
    expect(second.answer).toBe('L/2');
  });

  it('is not given to one whose lease has ended meanwhile', async () => {
    await lock(1n);
    const second = await lock(2n);
    // Both end in the same moment: there is no revision at which the second one owned.
    for (const ID of [2n, 1n]) {
      const value = { $typeName: 'etcdserverpb.LeaseRevokeRequest', ID } as const;
      member.apply({ case: 'leaseRevoke', value });
    }
    await settled();
    expect(second.answer).toBeNull();
    expect(second.error).toMatchObject(EXPIRED);
  });

  it('is not given to one whose lease ends before the state is confirmed', async () => {
    await lock(1n);
    const second = await lock(2n);
    member.beforeConfirmed = () => {
      member.beforeConfirmed = () => {};
      member.single.revoke(2n);
      // It is granted again at once, and the key put by somebody: that is another holder.
      member.single.grant(2n);
      member.single.put('L/2', '', { lease: 2n });
    };
    member.apply({
      case: 'leaseRevoke',
      value: { $typeName: 'etcdserverpb.LeaseRevokeRequest', ID: 1n },
    });
    await settled();
    expect(second.error).toMatchObject(EXPIRED);
  });

  it('is not given for a key that hangs on another lease', async () => {
    member.single.put('L/1', '', { lease: 2n });
    expect((await lock(1n)).error).toMatchObject(EXPIRED);
  });

  it('comes with a lease of a minute when none is given', async () => {
    const { answer } = await lock(0n);
    const id = must(member.machine.leases().at(-1), 'no lease').id;
    expect(answer).toBe(`L/${id.toString(16)}`);
    expect(member.machine.lease(id)?.ttlSeconds).toBe(60n);
  });

  it('has the sign of its lease in its key', async () => {
    member.single.grant(-26n);
    expect((await lock(-26n)).answer).toBe('L/-1a');
    expect((await lock(1n, {}, '')).answer).toBe('/1');
  });

  it('needs a lease that exists', async () => {
    const { error } = await lock(9n);
    expect(error).toMatchObject({ code: 2, message: 'etcdserver: requested lease not found' });
    expect(member.keys()).toEqual([]);
  });

  it('is let go with any key, but not without one', async () => {
    await unlock('nothing');
    await expect(unlock('')).rejects.toMatchObject({
      code: 2,
      message: 'etcdserver: key is not provided',
    });
  });

  describe('whose waiter gives up', () => {
    it('is not blocked by it: its key goes when it hangs up', async () => {
      await lock(1n);
      const second = await lock(2n);
      const third = await lock(3n);
      second.hangUp();
      await settled();
      expect(second.error).toMatchObject({ code: 1, message: 'context canceled' });
      expect(member.keys()).toEqual(['L/1=', 'L/3=']);
      await unlock('L/1');
      expect(third.answer).toBe('L/3');
      expect(contests.waiting).toBe(0);
      expect(member.watches.stats.watchers).toBe(0);
    });

    it('does not lose it to its own first attempt', async () => {
      await lock(1n);
      const first = await lock(2n);
      member.beforeConfirmed = () => {
        member.beforeConfirmed = () => {};
        member.single.delete('L/1');
      };
      // The same client asks anew, and owns by the time the first attempt is cleared away.
      first.hangUp();
      const again = await lock(2n);
      await settled();
      expect(again.answer).toBe('L/2');
      expect(member.keys()).toEqual(['L/2=']);
    });

    it('frees its place when its time is over', async () => {
      await lock(1n);
      const second = await lock(2n, { timeoutMs: 5_000 });
      await member.pass(4_900);
      expect(second.error).toBeNull();
      await member.pass(100 + limits.contestSweepMs);
      expect(second.error).toMatchObject({ code: 4, message: 'context deadline exceeded' });
      expect(member.keys()).toEqual(['L/1=']);
    });

    it('ends when the leader is lost for long, sooner when it asked for one', async () => {
      await lock(1n);
      const plain = await lock(2n);
      const strict = await lock(3n, { requireLeader: true });
      await member.pass(1_000);
      member.node.soft.leader = null;
      await member.pass(3_500);
      expect(strict.error?.message).toBe('etcdserver: no leader');
      expect(plain.error).toBeNull();
      await member.pass(4_000);
      expect(plain.error).toMatchObject({ code: 2, message: 'etcdserver: no leader' });
      // Nothing could be written: the keys are left to their leases.
      expect(member.keys()).toEqual(['L/1=', 'L/2=', 'L/3=']);
    });

    it('waits on through a change of leader', async () => {
      await lock(1n);
      const second = await lock(2n);
      for (let change = 0; change < 5; change++) {
        member.node.soft.leader = null;
        await member.pass(2_000);
        member.node.soft.leader = 'm2';
        await member.pass(2_000);
      }
      await unlock('L/1');
      expect(second.answer).toBe('L/2');
    });
  });

  it('has room for so many waiters', async () => {
    await lock(1n);
    for (let i = 0; i < limits.contestWaitersMax; i++) void lock(2n);
    await settled();
    expect(contests.waiting).toBe(limits.contestWaitersMax);
    const { error } = await lock(3n);
    expect(error).toBeInstanceOf(EtcdError);
    expect(error?.code).toBe(8);
  });
});
