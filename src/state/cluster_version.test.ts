import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import { ClusterVersionSetSchema, DowngradeInfoSetSchema } from '../api/gen/command_pb.ts';
import { installed, Single } from './testing/single.ts';

describe("the cluster's version", () => {
  let member: Single;
  beforeEach(() => {
    member = new Single();
  });
  const agree = (version: string) =>
    member.answer({
      case: 'clusterVersionSet',
      value: create(ClusterVersionSetSchema, { version }),
    });
  const downgrade = (enabled: boolean, targetVersion = '') =>
    member.answer({
      case: 'downgradeInfoSet',
      value: create(DowngradeInfoSetSchema, { enabled, targetVersion }),
    });

  it('only rises', () => {
    expect(member.machine.version.version).toBeNull();
    for (const [proposed, expected] of [
      ['3.5.0', '3.5.0'],
      ['3.4.0', '3.5.0'],
      ['3.10.0', '3.10.0'],
      ['3.9.0', '3.10.0'],
      ['4.0.0', '4.0.0'],
    ] as const) {
      expect(agree(proposed)).toEqual({});
      expect(member.machine.version.version, proposed).toBe(expected);
    }
  });

  it('may be asked to go back once at a time, and the wish withdrawn', () => {
    agree('3.5.0');
    expect(downgrade(false)).toBe('etcdserver: no inflight downgrade job');
    downgrade(true, '3.4.0');
    expect(downgrade(true, '3.4.0')).toBe('etcdserver: cluster has a downgrade job in progress');
    expect(member.machine.version).toEqual({ version: '3.5.0', downgradeTarget: '3.4.0' });
    downgrade(false);
    expect(member.machine.version).toEqual({ version: '3.5.0', downgradeTarget: null });
  });

  it('survives restarts and travels with snapshots', () => {
    agree('3.5.0');
    downgrade(true, '3.4.0');
    const expected = { version: '3.5.0', downgradeTarget: '3.4.0' };
    expect(installed(member.snapshotChunks()).version).toEqual(expected);
    member.machine.flush();
    member.restart();
    expect(member.machine.version).toEqual(expected);
  });
});
