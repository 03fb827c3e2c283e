import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { ALL_KEYS } from './key_range.ts';
import { Rig } from './testing/rig.ts';
import { Single } from './testing/single.ts';
import { life, live } from './testing/steps.ts';

// The same lives with limits so small that every page, row, cache and chunk comes to its end.
vi.mock('../config.ts', async (original) => {
  const config = await original<typeof import('../config.ts')>();
  const limits = {
    ...config.limits,
    overlayCommandsMax: 5,
    historyRowBytes: 60,
    compactionRowsPerSlice: 2,
    snapshotChunkBytes: 80,
    kvCacheEntriesMax: 2,
    kvCacheBytesMax: 200,
    historyCacheRowsMax: 2,
    historyCacheBytesMax: 600,
    scanPageRowsMax: 2,
    scanPageBytes: 100,
    compactionMemoKeysMax: 2,
  };
  return { ...config, limits };
});

describe('the state machine beside the model, with tiny limits', () => {
  it('is made of many small rows', () => {
    const member = new Single();
    for (let i = 0; i < 20; i++) member.put('a', 'x'.repeat(50));
    member.machine.flush();
    expect(member.store.count('history', ALL_KEYS)).toBe(20);
    expect(member.snapshotChunks().length).toBeGreaterThan(10);
  });

  it('gives every answer of the model', () => {
    fc.assert(
      fc.property(life, (steps) => live(new Rig(), steps)),
      { numRuns: 250, seed: 20_260_102 },
    );
  });
});
