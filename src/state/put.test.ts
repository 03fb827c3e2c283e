import { beforeEach, describe, expect, it } from 'vitest';
import { must } from '../lib/assert.ts';
import { brief, deleteRange, range, Single } from './testing/single.ts';

const KEY_NOT_FOUND = 'etcdserver: key not found';
const LEASE_NOT_FOUND = 'etcdserver: requested lease not found';

describe('put and delete', () => {
  let member: Single;
  beforeEach(() => {
    member = new Single();
  });

  const kv = (key: string) => must(member.machine.range(range(key)).kvs[0], key);

  it('counts revisions and versions from creation on', () => {
    expect(member.machine.revision).toBe(1);
    member.put('a', '1');
    member.put('a', '2');
    expect(kv('a')).toMatchObject({ createRevision: 2n, modRevision: 3n, version: 2n });
    member.delete('a');
    member.put('a', '3');
    expect(kv('a')).toMatchObject({ createRevision: 5n, modRevision: 5n, version: 1n });
  });

  it('returns the pair before only when asked, and only when there was one', () => {
    expect(member.put('a', '1', { prevKv: true })).not.toHaveProperty('prevKv');
    expect(member.put('a', '2')).not.toHaveProperty('prevKv');
    expect(member.put('a', '3', { prevKv: true })).toHaveProperty('prevKv.version', 2n);
  });

  it('keeps value or lease on request, of a key that exists', () => {
    member.grant(7n);
    member.put('a', 'kept', { lease: 7n });
    member.put('a', '', { ignoreValue: true });
    expect(brief(kv('a'))).toBe('a=kept');
    expect(kv('a').lease).toBe(0n);
    member.put('a', 'x', { lease: 7n });
    member.put('a', 'y', { ignoreLease: true });
    expect(kv('a')).toMatchObject({ lease: 7n, version: 4n });
    expect(member.put('none', '', { ignoreValue: true })).toBe(KEY_NOT_FOUND);
    expect(member.put('none', 'x', { ignoreLease: true })).toBe(KEY_NOT_FOUND);
    expect(member.machine.revision).toBe(5);
  });

  it('refuses a lease that is not there', () => {
    expect(member.put('a', 'x', { lease: 9n })).toBe(LEASE_NOT_FOUND);
    expect(member.put('a', 'x', { lease: -9n })).toBe(LEASE_NOT_FOUND);
    expect(member.machine.revision).toBe(1);
  });

  it('deletes a range in one revision, in key order, and nothing at no revision', () => {
    for (const key of ['b', 'a', 'c']) member.put(key, key);
    expect(member.delete('x', 'z')).toMatchObject({ deleted: 0n, prevKvs: [] });
    expect(member.machine.revision).toBe(4);
    const result = member.apply({ case: 'deleteRange', value: deleteRange('a', 'c', true) });
    expect(result.response).toMatchObject({ deleted: 2n });
    expect(result.revision).toBe(5);
    expect(
      result.events.map(({ kv: pair, prevKv }) => [
        brief(must(pair, 'kv')),
        prevKv && brief(prevKv),
      ]),
    ).toEqual([
      ['a=', 'a=a'],
      ['b=', 'b=b'],
    ]);
    expect(member.found('\0', '\0')).toEqual(['c=c']);
    expect(member.found('\0', '\0', { revision: 4n })).toEqual(['a=a', 'b=b', 'c=c']);
  });
});
