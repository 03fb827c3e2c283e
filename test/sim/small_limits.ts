import { limits } from '../../src/config.ts';
import { intBetween, type Prng } from '../../src/lib/prng.ts';
import { pick } from './random.ts';

type Limits = { -readonly [name in keyof typeof limits]: number };

/**
 * Runs with limits so small that a short run crosses all of them: a flush after a few commands, a
 * row for a few versions, a chunk for a few rows, caches that hold next to nothing. Limits are read
 * when they are used, so the simulator, which is alone in its process, may set them for a run.
 */
export async function withSmallLimits<T>(prng: Prng, run: () => Promise<T>): Promise<T> {
  const usual = { ...limits };
  const writable = limits as Limits;
  Object.assign(writable, smallLimits(prng));
  try {
    return await run();
  } finally {
    Object.assign(writable, usual);
  }
}

function smallLimits(prng: Prng): Partial<Limits> {
  return {
    overlayCommandsMax: pick(prng, [1, 3, 8, 20]),
    historyRowBytes: pick(prng, [64, 300, 2_000]),
    kvCacheEntriesMax: pick(prng, [1, 4, 100]),
    historyCacheRowsMax: pick(prng, [1, 2, 32]),
    scanPageRowsMax: intBetween(prng, 1, 5),
    compactionRowsPerSlice: intBetween(prng, 1, 4),
    compactionMemoKeysMax: intBetween(prng, 1, 10),
    snapshotChunkBytes: pick(prng, [100, 400, 2_000]),
    appendBytesMax: pick(prng, [100, 500, 1_048_576]),
    applyBytesMax: pick(prng, [100, 1_000, 1_048_576]),
    logCacheBytesMax: pick(prng, [100, 1_000, 1_048_576]),
    commitDelayMs: pick(prng, [0, 1, 10, 30]),
    thriftDelayMs: pick(prng, [0, 1, 5, 40]),
    thriftBatchMax: pick(prng, [1, 3, 16]),
    inflightAppendsMax: intBetween(prng, 1, 4),
    turnProposalsMax: pick(prng, [1, 3, 512]),
    streamHighWaterBytes: pick(prng, [0, 200, 65_536]),
    watchReplayRevisionsMax: pick(prng, [1, 3, 1_000]),
    watchReplayBytesMax: pick(prng, [100, 1_000, 524_288]),
    watchReplayEventsMax: pick(prng, [1, 10, 16_384]),
    leasesPerSlice: pick(prng, [1, 3, 1_000]),
    uncommittedBytesMax: pick(prng, [2_000, 64 * 1024 * 1024]),
  };
}
