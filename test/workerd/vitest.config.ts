import { cloudflareTest } from '@cloudflare/vitest-pool-workers';
import { defineConfig } from 'vitest/config';

const root = new URL('../..', import.meta.url).pathname;

/** What needs the platform itself: its SQLite, its objects, the Worker in front of them. */
export default defineConfig({
  root,
  plugins: [
    cloudflareTest({
      wrangler: { configPath: `${root}wrangler.toml` },
      miniflare: {
        bindings: {
          ALLOW_NONE_AUTHENTICATION: 'yes',
          ETCD_LOG_LEVEL: 'error',
          EDGETCD_ACCESS_LOG: 'off',
        },
      },
    }),
  ],
  test: {
    include: ['test/workerd/**/*.test.ts'],
    testTimeout: 20_000,
    // Members whose settings are wrong say so, and many here are so on purpose.
    silent: 'passed-only',
  },
});
