import { defineConfig } from 'vitest/config';

/**
 * Everything that runs in plain Node: unit, property and scenario tests beside the code, tidy
 * rules.
 */
export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    include: [
      'src/**/*.test.ts',
      'test/*.test.ts',
      'test/self_hosting/**/*.test.ts',
      'test/scenarios/**/*.test.ts',
      'test/sim/**/*.test.ts',
    ],
    testTimeout: 30_000,
    // The default leaves one core idle; the simulator's shards want both.
    maxWorkers: 2,
  },
});
