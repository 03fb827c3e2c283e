import { beforeEach, describe, expect, it } from 'vitest';
import type { TxnResponse } from '../api/gen/rpc_pb.ts';
import {
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
} from '../api/gen/rpc_pb.ts';
import { utf8 } from '../lib/bytes.ts';
import { brief, type CompareFields, ops, Single, txn } from './testing/single.ts';
import { hasPut, isReadOnlyTxn } from './txn.ts';

const FUTURE = 'etcdserver: mvcc: required revision is a future revision';
const COMPACTED = 'etcdserver: mvcc: required revision has been compacted';

describe('txn', () => {
  let member: Single;
  beforeEach(() => {
    member = new Single();
    member.put('a', 'm');
    member.put('b', 'm');
    member.put('a', 'n');
  });

  // a: created at 2, changed at 4, version 2, value n. b: created and changed at 3.
  it.each<[CompareFields, boolean]>([
    [{ key: utf8('a'), target: Target.VERSION, targetUnion: { case: 'version', value: 2n } }, true],
    [
      { key: utf8('a'), target: Target.CREATE, targetUnion: { case: 'createRevision', value: 2n } },
      true,
    ],
    [{ key: utf8('a'), target: Target.MOD, targetUnion: { case: 'modRevision', value: 4n } }, true],
    [{ key: utf8('a'), target: Target.LEASE, targetUnion: { case: 'lease', value: 0n } }, true],
    [
      { key: utf8('a'), target: Target.VALUE, targetUnion: { case: 'value', value: utf8('n') } },
      true,
    ],
    [
      {
        key: utf8('a'),
        target: Target.VALUE,
        result: Result.LESS,
        targetUnion: { case: 'value', value: utf8('na') },
      },
      true,
    ],
    [
      {
        key: utf8('a'),
        target: Target.MOD,
        result: Result.GREATER,
        targetUnion: { case: 'modRevision', value: 4n },
      },
      false,
    ],
    [
      {
        key: utf8('a'),
        target: Target.MOD,
        result: Result.NOT_EQUAL,
        targetUnion: { case: 'modRevision', value: 3n },
      },
      true,
    ],
    // The value of another target counts as zero, and a missing one too.
    [
      { key: utf8('a'), target: Target.VERSION, targetUnion: { case: 'modRevision', value: 2n } },
      false,
    ],
    [{ key: utf8('a'), target: Target.MOD, result: Result.GREATER }, true],
    // A key that is not there: all numbers are zero, and no comparison of its value holds.
    [{ key: utf8('x'), target: Target.VERSION }, true],
    [
      {
        key: utf8('x'),
        target: Target.CREATE,
        result: Result.LESS,
        targetUnion: { case: 'createRevision', value: 1n },
      },
      true,
    ],
    [
      { key: utf8('x'), target: Target.VALUE, targetUnion: { case: 'value', value: utf8('') } },
      false,
    ],
    [
      {
        key: utf8('x'),
        target: Target.VALUE,
        result: Result.NOT_EQUAL,
        targetUnion: { case: 'value', value: utf8('q') },
      },
      false,
    ],
    // All keys of a range; an empty range is one key that is not there.
    [{ key: utf8('a'), rangeEnd: utf8('c'), target: Target.VERSION, result: Result.GREATER }, true],
    [
      {
        key: utf8('a'),
        rangeEnd: utf8('c'),
        target: Target.VALUE,
        targetUnion: { case: 'value', value: utf8('n') },
      },
      false,
    ],
    [
      {
        key: utf8('a'),
        rangeEnd: utf8('\0'),
        target: Target.CREATE,
        result: Result.LESS,
        targetUnion: { case: 'createRevision', value: 4n },
      },
      true,
    ],
    [{ key: utf8('x'), rangeEnd: utf8('z'), target: Target.VERSION }, true],
    [
      {
        key: utf8('x'),
        rangeEnd: utf8('z'),
        target: Target.MOD,
        result: Result.GREATER,
        targetUnion: { case: 'modRevision', value: 1n },
      },
      false,
    ],
  ])('compare %#', (compare, succeeded) => {
    expect(member.txn({ compare: [compare] })).toMatchObject({ succeeded });
  });

  it('writes in one revision, and its reads see what it wrote before', () => {
    const response = member.txn({
      success: [
        ops.range('a'),
        ops.put('c', '1'),
        ops.range('c'),
        ops.delete('b'),
        ops.range('\0', '\0'),
      ],
    }) as TxnResponse;
    const seen = response.responses.map(({ response: { value } }) => [
      Number(value?.header?.revision),
      value && 'kvs' in value ? value.kvs.map(brief).join() : '',
    ]);
    expect(seen).toEqual([
      [4, 'a=n'],
      [5, ''],
      [5, 'c=1'],
      [5, ''],
      [5, 'a=n,c=1'],
    ]);
    expect(member.machine.revision).toBe(5);
  });

  it('changes nothing when it only reads, or deletes nothing', () => {
    member.txn({});
    member.txn({ success: [ops.range('a')] });
    expect(member.txn({ success: [ops.delete('x')] })).toMatchObject({
      responses: [{ response: { value: { header: { revision: 4n } } } }],
    });
    expect(member.machine.revision).toBe(4);
  });

  it('evaluates the compares of nested transactions before any operation', () => {
    const inner = {
      compare: [{ key: utf8('c'), target: Target.VERSION, result: Result.GREATER }],
      success: [ops.put('d', 'yes')],
      failure: [ops.put('d', 'no')],
    };
    const response = member.txn({ success: [ops.put('c', '1'), ops.txn(inner)] }) as TxnResponse;
    expect(member.found('d')).toEqual(['d=no']);
    const nested = response.responses[1]?.response.value;
    expect(nested).toMatchObject({ succeeded: false, header: { revision: 0n } });
    expect(member.machine.revision).toBe(5);
  });

  it('is refused whole when a check fails on the branch taken, and only there', () => {
    const future = ops.range('a', '', { revision: 5n });
    expect(member.txn({ success: [ops.put('c'), future] })).toBe(FUTURE);
    expect(member.txn({ success: [ops.put('c'), ops.txn({ success: [future] })] })).toBe(FUTURE);
    expect(member.txn({ success: [ops.put('c'), ops.put('d', '', { lease: 9n })] })).toMatch(
      /lease/,
    );
    expect(member.txn({ success: [ops.put('c', '', { ignoreValue: true })] })).toMatch(/not found/);
    expect(member.found('c', 'e')).toEqual([]);
    expect(member.machine.revision).toBe(4);
    expect(member.txn({ success: [ops.put('c')], failure: [future] })).toMatchObject({
      succeeded: true,
    });
  });

  it('tells of a put before a range, as etcd does', () => {
    const range = ops.range('a', '', { revision: 99n });
    expect(member.txn({ success: [range, ops.put('c', '', { lease: 9n })] })).toMatch(/lease/);
  });

  it('refuses a compacted revision on the branch taken', () => {
    member.compact(3);
    expect(member.txn({ success: [ops.range('a', '', { revision: 2n }), ops.put('c')] })).toBe(
      COMPACTED,
    );
    expect(member.found('c')).toEqual([]);
  });

  it('is atomic and ordered for watchers', () => {
    const request = txn({ success: [ops.put('z', '1'), ops.delete('a', 'c'), ops.put('y', '2')] });
    const { events, revision } = member.apply({ case: 'txn', value: request });
    expect(events.map(({ type, kv }) => `${type} ${kv && brief(kv)} @${kv?.modRevision}`)).toEqual([
      '0 z=1 @5',
      '1 a= @5',
      '1 b= @5',
      '0 y=2 @5',
    ]);
    expect(revision).toBe(5);
    const [replayed] = member.machine.eventsFrom(5, true, { revisionsMax: 9, bytesMax: 9_999 });
    expect(replayed?.events).toEqual(events);
  });

  it('knows what it would write', () => {
    expect(isReadOnlyTxn(txn({ success: [ops.range('a')], failure: [ops.txn({})] }))).toBe(true);
    expect(isReadOnlyTxn(txn({ failure: [ops.delete('a')] }))).toBe(false);
    expect(hasPut(txn({ success: [ops.txn({ failure: [ops.put('a')] })] }))).toBe(true);
    expect(hasPut(txn({ success: [ops.delete('a')] }))).toBe(false);
  });
});
