import { expect, test } from 'vitest';
import { CalmCluster } from './calm_cluster.ts';

const MINUTE_MS = 60_000;
const QUIESCE_AFTER_MS = 5_000;

test.each([1, 3])('%i members that nobody asks have no timer at all', async (size) => {
  const idle = new CalmCluster(size, { quiesceAfterMs: QUIESCE_AFTER_MS });
  await idle.run(MINUTE_MS);
  const isPut = idle.put('a');
  // Once more what was written is compared (a minute later) and looked at for compaction (six).
  await idle.run(7 * MINUTE_MS);
  expect(isPut()).toBe(true);
  const events = idle.world.trace.count;
  await idle.run(8 * 60 * MINUTE_MS);
  expect(idle.world.trace.count).toBe(events);
  // And it was not dead.
  const isPutAgain = idle.put('b');
  await idle.run(MINUTE_MS / 10);
  expect(isPutAgain()).toBe(true);
  expect(idle.world.trace.count).toBeGreaterThan(events);
});
