import { describe, expect, it } from 'vitest';
import { parsePairs } from './pairs.ts';

describe('a list of pairs', () => {
  it.each([
    ['m1=do://m1', [['m1', 'do://m1']]],
    [
      'b=2,a=1',
      [
        ['b', '2'],
        ['a', '1'],
      ],
    ],
    [
      ' a=1 , b=2 ',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    ['a=https://x.example/?q=1', [['a', 'https://x.example/?q=1']]],
  ])('%j is taken in order', (text, pairs) => {
    expect(parsePairs(text)).toEqual(pairs);
  });

  it.each(['', ',', 'a', 'a=', '=1', 'a=1,', ',a=1', 'a=1,,b=2', 'a=1,a=2', 'a b=1', 'a=1 2'])(
    '%j is none',
    (text) => {
      expect(parsePairs(text)).toBeNull();
    },
  );
});
