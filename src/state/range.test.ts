import { beforeEach, describe, expect, it } from 'vitest';
import {
  RangeRequest_SortOrder as Order,
  RangeRequest_SortTarget as Target,
} from '../api/gen/rpc_pb.ts';
import { must } from '../lib/assert.ts';
import { brief, range, Single } from './testing/single.ts';

const ALL = ['\0', '\0'] as const;

describe('range', () => {
  let member: Single;

  // Revisions 2 to 6; a is put twice.
  beforeEach(() => {
    member = new Single();
    member.put('a', 'm');
    member.put('b', 'z');
    member.put('c', 'b');
    member.put('a', 'n');
    member.put('a/1', 'k');
  });

  it.each<[string, string, string[]]>([
    ['a', '', ['a=n']],
    ['none', '', []],
    ['a', 'b', ['a=n', 'a/1=k']],
    ['a', 'b\0', ['a=n', 'a/1=k', 'b=z']],
    ['a/', 'a0', ['a/1=k']],
    ['b', '\0', ['b=z', 'c=b']],
    ['\0', '\0', ['a=n', 'a/1=k', 'b=z', 'c=b']],
    ['b', 'b', []],
    ['b', 'a', []],
  ])('from %j to %j', (key, rangeEnd, expected) => {
    expect(member.found(key, rangeEnd)).toEqual(expected);
    member.machine.flush();
    expect(member.found(key, rangeEnd)).toEqual(expected);
  });

  it.each<[bigint, string[], boolean]>([
    [2n, ['a=n', 'a/1=k'], true],
    [3n, ['a=n', 'a/1=k', 'b=z'], true],
    [4n, ['a=n', 'a/1=k', 'b=z', 'c=b'], false],
    [0n, ['a=n', 'a/1=k', 'b=z', 'c=b'], false],
    [-1n, ['a=n', 'a/1=k', 'b=z', 'c=b'], false],
  ])('cut at %s', (limit, expected, more) => {
    expect(member.found(...ALL, { limit })).toEqual(expected);
    expect(member.range(...ALL, { limit })).toMatchObject({ more, count: 4n });
  });

  it.each<[Target, Order, string]>([
    [Target.KEY, Order.NONE, 'a a/1 b c'],
    [Target.KEY, Order.DESCEND, 'c b a/1 a'],
    [Target.VERSION, Order.ASCEND, 'a/1 b c a'],
    [Target.VERSION, Order.DESCEND, 'a a/1 b c'],
    [Target.CREATE, Order.ASCEND, 'a b c a/1'],
    [Target.MOD, Order.NONE, 'b c a a/1'],
    [Target.MOD, Order.DESCEND, 'a/1 a c b'],
    [Target.VALUE, Order.ASCEND, 'c a/1 a b'],
  ])('sorted by %s in order %s', (sortTarget, sortOrder, expected) => {
    const keys = (limit: bigint) =>
      member.machine
        .range(range(...ALL, { sortTarget, sortOrder, limit }))
        .kvs.map((kv) => brief(kv).split('=')[0])
        .join(' ');
    expect(keys(0n)).toBe(expected);
    expect(keys(2n)).toBe(expected.split(' ').slice(0, 2).join(' '));
  });

  it('counts whatever the limit and the filters hide', () => {
    expect(member.range(...ALL, { countOnly: true, limit: 1n })).toMatchObject({
      kvs: [],
      more: false,
      count: 4n,
    });
    const filtered = { minModRevision: 4n, maxModRevision: 5n, limit: 1n };
    expect(member.found(...ALL, filtered)).toEqual(['a=n']);
    expect(member.range(...ALL, filtered)).toMatchObject({ more: true, count: 4n });
    expect(member.found(...ALL, { minCreateRevision: 3n, maxCreateRevision: 4n })).toEqual([
      'b=z',
      'c=b',
    ]);
    expect(member.range('a', '', { minModRevision: 6n })).toMatchObject({ kvs: [], count: 1n });
  });

  it('leaves out values for keys_only, and nothing else', () => {
    const [kv] = member.machine.range(range('a', '', { keysOnly: true })).kvs;
    expect(must(kv, 'a')).toMatchObject({ version: 2n, createRevision: 2n, modRevision: 5n });
    expect(kv?.value).toHaveLength(0);
  });

  it.each<[bigint, readonly string[] | string]>([
    [1n, []],
    [2n, ['a=m']],
    [4n, ['a=m', 'b=z', 'c=b']],
    [5n, ['a=n', 'b=z', 'c=b']],
    [-3n, ['a=n', 'a/1=k', 'b=z', 'c=b']],
    [7n, 'etcdserver: mvcc: required revision is a future revision'],
  ])('at revision %s', (revision, expected) => {
    expect(member.found(...ALL, { revision })).toEqual(expected);
    member.machine.flush();
    expect(member.found(...ALL, { revision })).toEqual(expected);
  });

  it('reads more keys than one page holds, of the store and above it', () => {
    for (let i = 0; i < 700; i++) member.put(`p${String(i).padStart(4, '0')}`, `${i}`);
    member.machine.flush();
    for (let i = 0; i < 700; i += 3) member.put(`p${String(i).padStart(4, '0')}`, 'new');
    member.delete('p0100', 'p0200');
    const keys = member.machine.range(range('p', 'q')).kvs.map((kv) => brief(kv));
    expect(keys).toHaveLength(600);
    expect(keys).toEqual([...keys].sort());
    expect(keys.slice(0, 4)).toEqual(['p0000=new', 'p0001=1', 'p0002=2', 'p0003=new']);
    const down = { sortOrder: Order.DESCEND, limit: 300n };
    const last = member.machine.range(range('p', 'q', down));
    expect(last.kvs.map(brief)).toEqual(keys.slice(300).reverse());
    expect(last).toMatchObject({ more: true, count: 600n });
  });
});
