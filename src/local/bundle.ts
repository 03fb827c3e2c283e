import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { must } from '../lib/assert.ts';
import { messageOf, StartError } from './error.ts';

/** The product's Worker, the same that is deployed. */
export const workerEntry = fileURLToPath(new URL('../worker.ts', import.meta.url));

/**
 * The Worker as one ES module, resolved as wrangler resolves it.
 * @throws StartError when it does not build
 */
export async function bundleWorker(entry: string): Promise<string> {
  try {
    const result = await build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      conditions: ['workerd', 'worker', 'browser'],
      external: ['cloudflare:*', 'node:*'],
      sourcemap: 'inline',
      sourcesContent: false,
      logLevel: 'silent',
    });
    return must(result.outputFiles[0], 'one entry gives one file').text;
  } catch (error) {
    throw new StartError(`cannot bundle ${entry}: ${messageOf(error)}`);
  }
}
