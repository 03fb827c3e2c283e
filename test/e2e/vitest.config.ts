import { defineConfig } from 'vitest/config';

/**
 * Tests against real processes: slow, and mostly waiting. Two files at a time, because they share
 * the machine's cores.
 */
export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: {
    include: ['test/e2e/**/*.test.ts'],
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 30_000,
  },
});
