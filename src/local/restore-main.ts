import { workerEntry } from './bundle.ts';
import { messageOf, StartError, UsageError } from './error.ts';
import { restoreCluster } from './restore.ts';
import { readRestoreCommandLine } from './restore-command-line.ts';
import { StoredSnapshot } from './snapshot_file.ts';

async function main(argv: readonly string[]): Promise<void> {
  const options = readRestoreCommandLine(argv);
  if (options === null) return;
  const snapshot = StoredSnapshot.open(options.snapshot);
  try {
    const { revision, cluster, version } = snapshot.info;
    console.log(`${options.snapshot}: revision ${revision} of cluster ${cluster}, by ${version}`);
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
