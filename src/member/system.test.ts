import { afterEach, describe, expect, it, vi } from 'vitest';
import { drawDatabaseId, steadyClock, systemPrng } from './system.ts';

afterEach(() => {
  vi.useRealTimers();
});

it('the clock of an instance never goes back, and goes on after a step back', () => {
  vi.useFakeTimers({ now: 5_000 });
  const now = steadyClock();
  expect(now()).toBe(5_000);
  vi.setSystemTime(4_000);
  expect(now()).toBe(5_000);
  vi.setSystemTime(4_300);
  expect(now()).toBe(5_300);
  vi.setSystemTime(6_000);
  expect(now()).toBe(7_000);
});

it('clocks of two instances do not know each other', () => {
  vi.useFakeTimers({ now: 5_000 });
  steadyClock()();
  vi.setSystemTime(1_000);
  expect(steadyClock()()).toBe(1_000);
});

describe('what is drawn', () => {
  it('is a number in [0, 1), another one each time', () => {
    const prng = systemPrng();
    const drawn = Array.from({ length: 100 }, () => prng.next());
    for (const value of drawn) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThan(1);
    }
    expect(new Set(drawn).size).toBeGreaterThan(95);
  });

  it('names a database by 16 hexadecimal digits', () => {
    const ids = Array.from({ length: 100 }, drawDatabaseId);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}$/);
    expect(new Set(ids).size).toBe(100);
  });
});
