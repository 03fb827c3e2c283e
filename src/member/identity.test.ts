import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clusterIdentity, idOfNumber, numberOfId } from './identity.ts';
import { type MemberEnv, memberSettings } from './settings.ts';

/** The identity that a deployment with these variables gives the member. */
const identity = (env: MemberEnv, name = 'm1') =>
  clusterIdentity(memberSettings(`c/${name}`, { PEER_SECRET: 'secret', ...env }));

const THREE = 'm1=do://m1,m2=do://m2,m3=do://m3';

describe('ids', () => {
  it('are those that etcd derives', async () => {
    const { memberId, clusterId } = await identity({
      ETCD_INITIAL_CLUSTER: 'm1=http://127.0.0.1:24380',
      ETCD_INITIAL_CLUSTER_TOKEN: 'etcd-cluster',
    });
    expect([memberId, clusterId]).toEqual(['b5179d13d0285315', '534a021c215e0774']);
  });

  it('are the same at every member, whatever the order of the list', async () => {
    const shuffled = 'm3=do://m3,m1=do://m1,m2=do://m2';
    const all = await Promise.all([
      identity({ ETCD_INITIAL_CLUSTER: THREE }, 'm1'),
      identity({ ETCD_INITIAL_CLUSTER: THREE }, 'm2'),
      identity({ ETCD_INITIAL_CLUSTER: shuffled }, 'm3'),
    ]);
    expect(new Set(all.map(({ clusterId }) => clusterId)).size).toBe(1);
    const known = all[0]?.members.map(({ id }) => id) ?? [];
    expect(new Set(known).size).toBe(3);
    expect(all.map(({ memberId }) => memberId)).toEqual(known);
    expect(new Map(all[2]?.members.map(({ name, id }) => [name, id])).get('m1')).toBe(known[0]);
  });

  it('differ between clusters whose tokens differ', async () => {
    const one = await identity({ ETCD_INITIAL_CLUSTER: THREE });
    const other = await identity({
      ETCD_INITIAL_CLUSTER: THREE,
      ETCD_INITIAL_CLUSTER_TOKEN: 'another',
    });
    expect(other.clusterId).not.toBe(one.clusterId);
    expect(other.memberId).not.toBe(one.memberId);
  });

  it('stay when the members move, if it is said where they were', async () => {
    const before = await identity({ ETCD_INITIAL_CLUSTER: THREE });
    const after = await identity({
      ETCD_INITIAL_CLUSTER: 'm1=https://a.example,m2=https://b.example,m3=https://c.example',
      EDGETCD_IDENTITY_CLUSTER: THREE,
    });
    expect(after.clusterId).toBe(before.clusterId);
    expect(after.members.map(({ id }) => id)).toEqual(before.members.map(({ id }) => id));
    expect(after.members.map(({ url }) => url)).toContain('https://a.example');
  });
});

describe('ids and their numbers', () => {
  it('lose nothing, and keep their order', () => {
    const number = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(number, number, (a, b) => {
        expect(numberOfId(idOfNumber(a))).toBe(a);
        expect(idOfNumber(a)).toMatch(/^[0-9a-f]{16}$/);
        expect(idOfNumber(a) < idOfNumber(b)).toBe(a < b);
      }),
    );
  });

  it('are unsigned, though the API may show them signed', () => {
    expect(idOfNumber(-1n)).toBe('ffffffffffffffff');
  });
});
