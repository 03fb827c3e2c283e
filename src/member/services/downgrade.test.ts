import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import type { CallContext } from '../../api/call.ts';
import { Code, EtcdError } from '../../api/error.ts';
import { ClusterVersionSetSchema } from '../../api/gen/command_pb.ts';
import {
  DowngradeRequest_DowngradeAction as Action,
  DowngradeRequestSchema,
} from '../../api/gen/rpc_pb.ts';
import { Single } from '../../state/testing/single.ts';
import { downgrade } from './downgrade.ts';
import type { ServiceHost } from './service.ts';
import { singleHost } from './testing/single_host.ts';

describe('a downgrade', () => {
  let member: Single;
  let host: ServiceHost;
  beforeEach(() => {
    member = new Single();
    host = singleHost(() => member);
    agree('3.5.0');
  });
  const agree = (version: string) => {
    const value = create(ClusterVersionSetSchema, { version });
    member.apply({ case: 'clusterVersionSet', value });
  };
  const ask = async (action: Action, version = ''): Promise<string> => {
    try {
      const request = create(DowngradeRequestSchema, { action, version });
      return (await downgrade(host, request, {} as CallContext)).version;
    } catch (error) {
      if (error instanceof EtcdError) return `${error.code} ${error.message}`;
      throw error;
    }
  };

  it.each([
    ['3.4', '3.5.0'],
    ['3.4.0', '3.5.0'],
    ['3.4.33', '3.5.0'],
    ['3.4.0-rc.1', '3.5.0'],
    ['3.5', `${Code.invalidArgument} etcdserver: invalid downgrade target version`],
    ['3.3.0', `${Code.invalidArgument} etcdserver: invalid downgrade target version`],
    ['2.4', `${Code.invalidArgument} etcdserver: invalid downgrade target version`],
    ['3', `${Code.invalidArgument} etcdserver: wrong downgrade target version format`],
    ['', `${Code.invalidArgument} etcdserver: wrong downgrade target version format`],
    ['v3.4', `${Code.invalidArgument} etcdserver: wrong downgrade target version format`],
  ])('to %s is judged', async (version, expected) => {
    expect(await ask(Action.VALIDATE, version)).toBe(expected);
    expect(member.machine.version.downgradeTarget).toBeNull();
  });

  it('is begun once, and withdrawn once', async () => {
    const inProgress = 'etcdserver: cluster has a downgrade job in progress';
    const none = `${Code.failedPrecondition} etcdserver: no inflight downgrade job`;
    expect(await ask(Action.CANCEL)).toBe(none);
    expect(await ask(Action.ENABLE, '3.4')).toBe('3.5.0');
    expect(member.machine.version.downgradeTarget).toBe('3.4.0');
    for (const action of [Action.ENABLE, Action.VALIDATE]) {
      expect(await ask(action, '3.4')).toBe(`${Code.failedPrecondition} ${inProgress}`);
    }
    expect(await ask(Action.CANCEL)).toBe('3.5.0');
    expect(await ask(Action.CANCEL)).toBe(none);
  });

  it('needs a version of the cluster, and an action that is one', async () => {
    member = new Single();
    expect(await ask(Action.VALIDATE, '3.4')).toMatch(/cluster version not found/);
    expect(await ask(9 as Action, '3.4')).toBe(`${Code.unknown} etcdserver: unknown method`);
  });
});
