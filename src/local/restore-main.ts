import { workerEntry } from './bundle.ts';
import { restoreCluster } from './restore.ts';
import { readRestoreCommandLine } from './restore-command-line.ts';
import { run } from './run.ts';
import { openSnapshot } from './snapshot_source.ts';

async function main(argv: readonly string[]): Promise<number> {
  const options = readRestoreCommandLine(argv);
  if (options === null) return 0;
  const snapshot = openSnapshot(options.snapshot, options.skipHashCheck);
  try {
    console.log(`${options.snapshot}: ${snapshot.title}`);
    await restoreCluster(snapshot, options, workerEntry);
  } finally {
    snapshot.close();
  }
  console.log(`${options.size} members begin with it; start them with`);
  console.log(`npm start -- --data-dir ${options.dataDir}`);
  return 0;
}

await run(main);
