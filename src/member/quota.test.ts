import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import type { Command } from '../api/gen/command_pb.ts';
import { CompactionRequestSchema, LeaseGrantRequestSchema } from '../api/gen/rpc_pb.ts';
import { limits } from '../config.ts';
import { deleteRange, ops, put, txn } from '../state/testing/single.ts';
import { costBytes, Quota, quotaPlan } from './quota.ts';

const request = {
  put: { case: 'put', value: put('key', 'value') },
  delete: { case: 'deleteRange', value: deleteRange('key') },
  grant: { case: 'leaseGrant', value: create(LeaseGrantRequestSchema, { ID: 1n, TTL: 60n }) },
  compact: { case: 'compaction', value: create(CompactionRequestSchema, { revision: 1n }) },
} satisfies Record<string, Command['request']>;

describe('the quota', () => {
  it("is etcd's default, or what is set, within what the platform allows", () => {
    const most = limits.stateBytesMax;
    expect(quotaPlan(0, 2_000)).toEqual({ bytes: 2_000, notice: null });
    expect(quotaPlan(1_000, 2_000)).toEqual({ bytes: 1_000, notice: null });
    expect(quotaPlan(-1, 2_000)).toMatchObject({ bytes: most, notice: /no quota/ });
    expect(quotaPlan(most + 1, 2_000)).toMatchObject({ bytes: most, notice: /platform/ });
    expect(quotaPlan(most - 1, 2_000)).toMatchObject({ bytes: most - 1, notice: /twice/ });
  });

  it('counts what needs space, a transaction by its costlier branch', () => {
    expect(costBytes(request.put)).toBe(256 + 3 + 5);
    expect(costBytes(request.grant)).toBe(64);
    expect(costBytes(request.delete)).toBe(0);
    expect(costBytes(request.compact)).toBe(0);
    const nested = ops.txn({ success: [ops.put('a', '12'), ops.put('b')] });
    const value = txn({ success: [ops.put('a')], failure: [ops.range('a'), nested] });
    expect(costBytes({ case: 'txn', value })).toBe(256 + 3 + 256 + 1);
    expect(costBytes({ case: 'txn', value: txn({ success: [ops.delete('a')] }) })).toBe(0);
  });

  it('refuses from the first byte too many, and raises one alarm for all', async () => {
    let stateBytes = 1_000 - 265;
    let raised = 0;
    let raising = () => {};
    const quota = new Quota({
      quotaBytes: 1_000,
      stateBytes: () => stateBytes,
      isRaised: () => raised > 0,
      raise: () =>
        new Promise((resolve) => {
          raising = () => {
            raised++;
            resolve();
          };
        }),
    });
    expect(quota.admits(request.put)).toBe(true);
    stateBytes++;
    expect(quota.admits(request.put)).toBe(false);
    expect(quota.admits(request.delete)).toBe(true);
    const refusals = [quota.refuse(), quota.refuse()];
    raising();
    for (const refusal of refusals) {
      await expect(refusal).rejects.toThrow('mvcc: database space exceeded');
    }
    await expect(quota.refuse()).rejects.toThrow('mvcc: database space exceeded');
    expect(raised).toBe(1);
  });

  it('refuses although the alarm cannot be raised', async () => {
    const quota = new Quota({
      quotaBytes: 1,
      stateBytes: () => 2,
      isRaised: () => false,
      raise: () => Promise.reject(new Error('no quorum')),
    });
    await expect(quota.refuse()).rejects.toThrow('mvcc: database space exceeded');
  });
});
