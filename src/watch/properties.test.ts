import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { WATCH_BUGS } from './bugs.ts';
import { Broken } from './testing/checker.ts';
import { life, live } from './testing/life.ts';

// Batches so small that every bound is met, and so little memory that puts do not read what they
// replace unless somebody wants to know.
vi.mock('../config.ts', async (original) => {
  const config = await original<typeof import('../config.ts')>();
  const limits = {
    ...config.limits,
    watchReplayRevisionsMax: 3,
    watchReplayBytesMax: 40,
    watchReplayEventsMax: 4,
    streamHighWaterBytes: 300,
    watchBufferBytesMax: 900,
    overlayCommandsMax: 2,
    kvCacheEntriesMax: 2,
    versionIndexBytesMax: 1_000,
  };
  return { ...config, limits };
});

const numRuns = 600;

describe('random lives of clients that watch', () => {
  it('see every event once, in order, whole, and nothing else', () => {
    fc.assert(
      fc.property(life, (steps) => live(steps)),
      { numRuns, seed: 20_261_121 },
    );
  });

  it.each(Object.keys(WATCH_BUGS))('find the mistake %s', (bug) => {
    const found = fc.check(
      fc.property(life, (steps) => live(steps, new Set([bug]))),
      { numRuns, seed: 20_261_121, endOnFailure: true },
    );
    expect(found.failed).toBe(true);
    expect(found.errorInstance).toBeInstanceOf(Broken);
  });
});
