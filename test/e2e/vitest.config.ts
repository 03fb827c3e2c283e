import { defineConfig } from 'vitest/config';

/**
 * Tests against real processes: slow, one file after another, because they share the machine's
 * cores.
 */
export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: {
    include: ['test/e2e/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 30_000,
  },
});
