import { beforeEach, describe, expect, it } from 'vitest';
import type { MemberHint, MemberRpc } from '../api/call.ts';
import { Cluster } from './cluster.ts';
import { type GatewayEnv, settingsOf } from './env.ts';

const hint = (name: string, isLearner = false, location: string | null = null): MemberHint => ({
  name,
  isLearner,
  location,
});

describe('the members that the gateway knows', () => {
  let asked: string[];
  let listed: readonly MemberHint[];
  let places: (string | undefined)[];
  const cluster = (variables: Partial<GatewayEnv> = {}) => {
    const stub = (name: string): MemberRpc => {
      const inspect = async (path: string) => {
        asked.push(`${name}${path}`);
        return { status: 200, contentType: 'application/json', body: JSON.stringify(listed) };
      };
      return { inspect } as unknown as MemberRpc;
    };
    const env: GatewayEnv = {
      ETCD_INITIAL_CLUSTER: 'm1=do://m1,m2=do://m2,m3=do://m3',
      ...variables,
      MEMBER: {
        getByName: (name, options) => {
          places.push(options?.locationHint);
          return stub(name);
        },
      },
    };
    return new Cluster(env.MEMBER, settingsOf(env));
  };
  beforeEach(() => {
    asked = [];
    listed = [];
    places = [];
  });

  it('are those of the variables, until a member says otherwise', () => {
    const known = cluster();
    expect([known.has('m1'), known.has('m4')]).toEqual([true, false]);
    known.learn({ leader: 'm4', members: [hint('m2'), hint('m3'), hint('m4')] });
    expect([known.has('m1'), known.has('m4')]).toEqual([false, true]);
    expect(known.preferred).toBe('m4');
    expect(known.another(['m4'])).toBe('m2');
    expect(known.another(['m4', 'm2', 'm3'])).toBeNull();
  });

  it('nobody is preferred who is gone', () => {
    const known = cluster();
    expect(known.preferred).toBe('m1');
    known.learn({ leader: null, members: [hint('m2'), hint('m3')] });
    expect(known.preferred).toBe('m2');
    known.failed('m2');
    known.failed('m3');
    expect(known.preferred).toBe('m2');
  });

  it('a learner takes what is meant for it alone', () => {
    const known = cluster({ ETCD_LOCATION_HINTS: 'm1=enam' });
    known.learn({ leader: 'm4', members: [hint('m1'), hint('m4', true, 'weur')] });
    expect(known.has('m4')).toBe(true);
    expect(known.preferred).toBe('m1');
    expect(known.nearest('EU')).toBe('m1');
    expect(known.another(['m1'])).toBeNull();
  });

  it('are made where they were added, else where the variables say', () => {
    const known = cluster({ ETCD_LOCATION_HINTS: 'm1=enam,m5=apac' });
    const added = [hint('m1'), hint('m4', false, 'weur'), hint('m5'), hint('m6', false, 'moon')];
    known.learn({ leader: null, members: added });
    for (const name of ['m1', 'm4', 'm5', 'm6']) known.stub(name);
    expect(places).toEqual(['enam', 'weur', 'apac', undefined]);
    expect(known.nearest('EU')).toBe('m4');
  });

  it('are asked for when a client names one that is not known, not for every such name', async () => {
    const known = cluster();
    listed = [hint('m1'), hint('m4')];
    expect(await known.find('m2')).toBe(true);
    expect(asked).toEqual([]);
    expect(await known.find('m4')).toBe(true);
    expect(await known.find('m9')).toBe(false);
    expect(asked).toEqual(['edgetcd/m1/members']);
  });

  it('are those of the variables when nobody knows better', async () => {
    const known = cluster();
    expect(await known.find('m4')).toBe(false);
    expect(known.has('m1')).toBe(true);
  });

  it('of a federation are elsewhere', async () => {
    const known = cluster({ ETCD_NAME: 'm2', PEER_SECRET: 's' });
    known.learn({ leader: 'm1', members: [hint('m1')] });
    expect([known.has('m1'), known.has('m2'), known.preferred]).toEqual([false, true, 'm2']);
    expect(await known.find('m1')).toBe(false);
    expect(asked).toEqual([]);
  });
});
