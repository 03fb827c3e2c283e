import { describe, expect, it } from 'vitest';
import { FormError, parseForm } from './form.ts';

const entries = (body: string, query = '') => Object.fromEntries(parseForm(body, query));

describe('a form', () => {
  it.each([
    ['a=1&b=2', { a: '1', b: '2' }],
    ['a', { a: '' }],
    ['=x', { '': 'x' }],
    ['a=1=2', { a: '1=2' }],
    ['&&a=1&', { a: '1' }],
    ['a=1&a=2', { a: '1' }],
    ['a=x+y%2Bz%20', { a: 'x y+z ' }],
    ['%61=%C3%BC', { a: 'ü' }],
    ['a=%FF%FEx%FF', { a: '\ufffd\ufffdx\ufffd' }],
  ])('%s', (text, wanted) => {
    expect(entries(text)).toEqual(wanted);
    expect(entries('', text)).toEqual(wanted);
  });

  it('takes the body before the query', () => {
    expect(entries('a=body', 'a=query&b=1')).toEqual({ a: 'body', b: '1' });
  });

  // Go's words, as etcd 3.4.23 was seen to answer.
  it.each([
    ['a=%zz', 'invalid URL escape "%zz"'],
    ['a=%', 'invalid URL escape "%"'],
    ['a=%4', 'invalid URL escape "%4"'],
    ['%G1=1', 'invalid URL escape "%G1"'],
    ['a=1;b', 'invalid semicolon separator in query'],
  ])('%s is refused', (text, message) => {
    expect(() => parseForm(text, '')).toThrow(new FormError(message));
  });
});
