import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import { LeaseExpireSchema } from '../api/gen/command_pb.ts';
import { textOf } from '../lib/bytes.ts';
import { brief, installed, Single } from './testing/single.ts';

const NOT_FOUND = 'etcdserver: requested lease not found';

describe('leases', () => {
  let member: Single;
  beforeEach(() => {
    member = new Single();
  });

  const keys = (id: bigint) => member.machine.leaseTimeToLive(id, true)?.keys.map(textOf);

  it('are granted once under an id, which may be negative', () => {
    expect(member.grant(7n, 100n)).toMatchObject({ ID: 7n, TTL: 100n });
    expect(member.grant(-7n)).toMatchObject({ ID: -7n, TTL: 60n });
    expect(member.grant(7n)).toBe('etcdserver: lease already exists');
    expect(member.grant(8n, 9_000_000_001n)).toBe('etcdserver: too large lease TTL');
    expect(member.machine.leaseTimeToLive(7n, false)).toEqual({
      ttl: 100n,
      grantedTtl: 100n,
      keys: [],
    });
    expect(member.machine.leaseTimeToLive(9n, false)).toBeNull();
    expect(member.machine.revision).toBe(1);
  });

  it('know their keys, sorted, as they come, move and go, also after a restart', () => {
    member.grant(1n);
    member.grant(2n);
    for (const key of ['b', 'a', 'c']) member.put(key, '', { lease: 1n });
    expect(keys(1n)).toEqual(['a', 'b', 'c']);
    member.put('b', '', { lease: 2n });
    member.put('c');
    member.machine.flush();
    member.restart();
    expect(keys(1n)).toEqual(['a']);
    expect(keys(2n)).toEqual(['b']);
    member.delete('a');
    member.put('b', 'x', { ignoreLease: true });
    expect(keys(1n)).toEqual([]);
    expect(keys(2n)).toEqual(['b']);
    expect(member.machine.leases().map(({ id }) => id)).toEqual([1n, 2n]);
  });

  it('take their keys along, sorted and in one revision, when revoked', () => {
    member.grant(1n);
    for (const key of ['b', 'a']) member.put(key, 'x', { lease: 1n });
    member.put('c');
    const { events, revision } = member.apply({
      case: 'leaseRevoke',
      value: { $typeName: 'etcdserverpb.LeaseRevokeRequest', ID: 1n },
    });
    expect(revision).toBe(5);
    expect(events.map(({ kv }) => `${kv && brief(kv)} ${kv?.modRevision}`)).toEqual([
      'a= 5',
      'b= 5',
    ]);
    expect(member.found('\0', '\0')).toEqual(['c=']);
    expect(member.machine.leases()).toEqual([]);
    expect(member.revoke(1n)).toBe(NOT_FOUND);
    expect(member.put('a', '', { lease: 1n })).toBe(NOT_FOUND);
    member.grant(1n);
    expect(keys(1n)).toEqual([]);
  });

  it('change no revision when revoked without keys', () => {
    member.grant(1n);
    expect(member.revoke(1n)).not.toBe(NOT_FOUND);
    expect(member.machine.revision).toBe(1);
  });

  it('are counted, also after a restart and what did not happen', () => {
    for (const id of [1n, 2n, 3n]) member.grant(id);
    member.grant(3n);
    member.revoke(1n);
    member.revoke(1n);
    expect(member.machine.leaseCount).toBe(2);
    member.machine.flush();
    member.restart();
    expect(member.machine.leaseCount).toBe(2);
    expect(installed(member.snapshotChunks()).leaseCount).toBe(2);
  });

  it('are listed some at a time, in the order of their rows', () => {
    for (const id of [5n, -1n, 3n, 1n]) member.grant(id);
    const ids = (after: bigint | null, count: number) =>
      member.machine.leases(after, count).map(({ id }) => id);
    expect(ids(null, 3)).toEqual([1n, 3n, 5n]);
    expect(ids(5n, 3)).toEqual([-1n]);
    expect(ids(2n, 1)).toEqual([3n]);
    expect(ids(-1n, 3)).toEqual([]);
  });

  it('expire as they are revoked, each generation of an id for itself', () => {
    const generation = (id: bigint) => member.machine.lease(id)?.generation;
    const expire = (leaseId: bigint, ended: number | undefined) => {
      const value = create(LeaseExpireSchema, { leaseId, generation: BigInt(ended ?? 0) });
      return member.answer({ case: 'leaseExpire', value });
    };
    member.grant(1n);
    const first = generation(1n);
    member.revoke(1n);
    member.grant(1n);
    const second = generation(1n);
    expect(second).toBeGreaterThan(first ?? 0);
    member.put('a', '', { lease: 1n });
    expect(expire(1n, first)).toBe(NOT_FOUND);
    expect(member.found('a')).toEqual(['a=']);
    expect(expire(1n, second)).not.toBe(NOT_FOUND);
    expect(member.found('a')).toEqual([]);
    expect(expire(1n, second)).toBe(NOT_FOUND);
    expect(member.machine.leaseCount).toBe(0);
  });
});
