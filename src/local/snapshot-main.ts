import { resolve } from 'node:path';
import { cac } from 'cac';
import { UsageError } from './error.ts';
import { run } from './run.ts';
import { saveSnapshot } from './snapshot.ts';

/** Saves a snapshot of the state of one member. */
async function main(argv: readonly string[]): Promise<number> {
  const cli = cac('npm run snapshot --');
  cli
    .command('[file]', 'Save a snapshot of one member')
    .option('--endpoint <url>', 'The member', { default: 'http://127.0.0.1:2379' })
    .option('--user <name:password>', 'Who asks, where authentication is on: root')
    .usage('[flags] <file>')
    .example('npm run snapshot -- --endpoint http://127.0.0.1:2379 backup.db');
  cli.help((sections) => sections.filter(({ title }) => title !== 'Commands'));
  const { args, options } = cli.parse(['node', 'edgetcd', ...argv], { run: false });
  if (options['help'] === true) return 0;
  const [file, extra] = args;
  if (file === undefined) throw new UsageError('snapshot save expects one argument: the file');
  if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"`);
  const user = options['user'] === undefined ? null : String(options['user']);
  const path = resolve(file);
  const { bytes, info } = await saveSnapshot(String(options['endpoint']), user, path);
  console.log(`Snapshot saved at ${path}: ${bytes} bytes, revision ${info.revision}`);
  return 0;
}

await run(main);
