import { describe, expect, it } from 'vitest';
import { METHODS } from '../../api/methods.ts';
import { methodRule, ruledMethods } from './method_rules.ts';

describe('the rules of methods', () => {
  it('are there for every method of the API, and for no other', () => {
    const methods = new Set(METHODS.map(({ service, name }) => `${service}/${name}`));
    expect(ruledMethods().sort()).toEqual([...methods].sort());
  });

  it('ask for root where there is none', () => {
    expect(methodRule('etcdserverpb.KV', 'RangeStream')).toBe('admin');
    expect(methodRule('nobody.Knows', 'it')).toBe('admin');
  });

  it('let nobody in without a token but who logs in', () => {
    const open = METHODS.filter(({ service, name }) => methodRule(service, name) === 'anyone');
    expect(open.map(({ path }) => path)).toEqual(['/v3/auth/authenticate']);
  });
});
