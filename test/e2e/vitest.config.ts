import { defineConfig } from 'vitest/config';

/**
 * Tests against real processes: slow, and mostly waiting. Three files at a time keep two cores busy
 * to nine tenths.
 */
export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: {
    include: ['test/e2e/**/*.test.ts'],
    maxWorkers: 3,
    testTimeout: 120_000,
    hookTimeout: 30_000,
  },
});
