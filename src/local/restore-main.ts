import { workerEntry } from './bundle.ts';
import { messageOf, StartError, UsageError } from './error.ts';
import { restoreCluster } from './restore.ts';
import { readRestoreCommandLine } from './restore-command-line.ts';
import { openSnapshot } from './snapshot_source.ts';

async function main(argv: readonly string[]): Promise<void> {
  const options = readRestoreCommandLine(argv);
  if (options === null) return;
  const snapshot = openSnapshot(options.snapshot, options.skipHashCheck);
  try {
    console.log(`${options.snapshot}: ${snapshot.title}`);
    await restoreCluster(snapshot, options, workerEntry);
  } finally {
    snapshot.close();
  }
  console.log(`${options.size} members begin with it; start them with`);
  console.log(`npm start -- --data-dir ${options.dataDir}`);
}

try {
  await main(process.argv.slice(2));
  process.exit(0);
} catch (error) {
  const known = error instanceof StartError || error instanceof UsageError;
  console.error(known ? `edgetcd: ${messageOf(error)}` : error);
  process.exit(error instanceof UsageError ? 2 : 1);
}
