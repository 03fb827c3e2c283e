import { describe, expect, it } from 'vitest';
import { parseDuration } from './duration.ts';

describe('a duration as Go writes it', () => {
  it.each([
    ['0', 0],
    ['-0', 0],
    ['100ms', 100],
    ['5s', 5_000],
    ['+5s', 5_000],
    ['-1.5s', -1_500],
    ['1h30m', 5_400_000],
    ['1h15m30.918273645s', 4_530_918.273645],
    ['.5s', 500],
    ['5.s', 5_000],
    ['250us', 0.25],
    ['250µs', 0.25],
    ['250μs', 0.25],
    ['3000000ns', 3],
    ['0s', 0],
    ['10m0s', 600_000],
  ])('%s', (text, ms) => {
    expect(parseDuration(text)).toBeCloseTo(ms, 6);
  });

  it.each(['', '5', '1e3s', '5 s', ' 5s', 's', '.s', '1h30', '5d', '--5s', 'five seconds', '1,5s'])(
    'is not %j',
    (text) => {
      expect(parseDuration(text)).toBeNull();
    },
  );

  it('is not longer than a number can say', () => {
    expect(parseDuration(`${'9'.repeat(400)}h`)).toBeNull();
  });
});
