import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  AlarmRequest_AlarmAction as Action,
  AlarmRequestSchema,
  type AlarmResponse,
  AlarmType,
} from '../api/gen/rpc_pb.ts';
import { ops, Single } from './testing/single.ts';

const { NONE, NOSPACE, CORRUPT } = AlarmType;
const NO_SPACE = 'etcdserver: mvcc: database space exceeded';
const CORRUPTED = 'etcdserver: corrupt cluster';

describe('alarms', () => {
  let member: Single;
  beforeEach(() => {
    member = new Single();
    member.put('a', '1');
    member.grant(1n);
  });

  const alarm = (action: Action, type: AlarmType, memberID = 0n) => {
    const value = create(AlarmRequestSchema, { action, alarm: type, memberID });
    const { alarms } = member.answer({ case: 'alarm', value }) as AlarmResponse;
    return alarms.map((one) => `${one.memberID} ${AlarmType[one.alarm]}`);
  };

  it('are raised once, echoed, listed and lowered', () => {
    expect(alarm(Action.ACTIVATE, NONE)).toEqual([]);
    expect(alarm(Action.ACTIVATE, NOSPACE, 77n)).toEqual(['77 NOSPACE']);
    expect(alarm(Action.ACTIVATE, NOSPACE, 77n)).toEqual(['77 NOSPACE']);
    expect(alarm(Action.ACTIVATE, CORRUPT, 5n)).toEqual(['5 CORRUPT']);
    member.machine.flush();
    member.restart();
    expect(alarm(Action.GET, NONE)).toEqual(['5 CORRUPT', '77 NOSPACE']);
    expect(alarm(Action.GET, NOSPACE)).toEqual(['77 NOSPACE']);
    expect(alarm(Action.DEACTIVATE, NOSPACE)).toEqual([]);
    expect(alarm(Action.DEACTIVATE, NOSPACE, 77n)).toEqual(['77 NOSPACE']);
    expect(member.machine.alarms()).toHaveLength(1);
  });

  it('NOSPACE stops what needs space, in either branch, and nothing else', () => {
    alarm(Action.ACTIVATE, NOSPACE);
    expect(member.put('b')).toBe(NO_SPACE);
    expect(member.grant(2n)).toBe(NO_SPACE);
    expect(member.txn({ failure: [ops.put('b')] })).toBe(NO_SPACE);
    expect(member.txn({ success: [ops.txn({ success: [ops.put('b')] })] })).toBe(NO_SPACE);
    expect(member.txn({ success: [ops.delete('b')] })).toMatchObject({ succeeded: true });
    expect(member.delete('a')).toMatchObject({ deleted: 1n });
    expect(member.compact(2)).toMatchObject({});
    expect(member.revoke(1n)).toMatchObject({});
    alarm(Action.DEACTIVATE, NOSPACE);
    expect(member.put('b')).toMatchObject({});
  });

  it('CORRUPT stops every change of what clients wrote', () => {
    alarm(Action.ACTIVATE, CORRUPT, 3n);
    for (const answer of [
      member.put('b'),
      member.delete('a'),
      member.txn({ success: [ops.delete('a')] }),
      member.compact(2),
      member.grant(2n),
      member.revoke(1n),
    ]) {
      expect(answer).toBe(CORRUPTED);
    }
    expect(member.txn({ success: [ops.range('a')] })).toMatchObject({ succeeded: true });
    expect(member.found('a')).toEqual(['a=1']);
    expect(member.machine.revision).toBe(2);
  });
});
