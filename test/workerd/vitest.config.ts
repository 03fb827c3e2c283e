import { cloudflareTest } from '@cloudflare/vitest-pool-workers';
import { defineConfig } from 'vitest/config';
import { bundledDeployment, quietBindings } from '../deployment.ts';

const root = new URL('../..', import.meta.url).pathname;

/**
 * A second deployment, as it is deployed. Before every event the runner imports the Worker of the
 * first from another object, so that two messages of one WebSocket may change places on their way
 * into a member: on the platform they never do, and sessions rely on it.
 */
const deployment = await bundledDeployment('deployment');

/** What needs the platform itself: its SQLite, its objects, the Worker in front of them. */
export default defineConfig({
  root,
  plugins: [
    cloudflareTest({
      wrangler: { configPath: `${root}wrangler.toml` },
      miniflare: {
        bindings: quietBindings,
        serviceBindings: { DEPLOYMENT: deployment.name },
        workers: [deployment],
      },
    }),
  ],
  test: {
    include: ['test/workerd/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Members whose settings are wrong say so, and many here are so on purpose.
    silent: 'passed-only',
  },
});
