import fc from 'fast-check';
import { describe, it, vi } from 'vitest';
import { Rig } from './testing/rig.ts';
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
  it('gives every answer of the model', () => {
    fc.assert(
      fc.property(life, (steps) => live(new Rig(), steps)),
      { numRuns: 250, seed: 20_260_102 },
    );
  });
});
