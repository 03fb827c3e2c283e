import { resolve } from 'node:path';
import { cac } from 'cac';
import { defaults as productDefaults } from '../config.ts';
import { clusterName, intIn, oneOf, optional, single, sizes } from './command-line.ts';
import { messageOf, UsageError } from './error.ts';

/** What `restore` was asked for. */
export interface RestoreOptions {
  readonly snapshot: string;
  readonly dataDir: string;
  readonly name: string;
  readonly size: number;
  readonly port: number;
  /** Takes a file of etcd's that has no hash, or another one. */
  readonly skipHashCheck: boolean;
}

/** @returns null when it asked for help, which has been printed then. @throws UsageError */
export function readRestoreCommandLine(argv: readonly string[]): RestoreOptions | null {
  const cli = cac('npm run restore --');
  cli
    .command('', 'Make a new cluster that begins with the state of a snapshot')
    .option(
      '--snapshot <file>',
      'The snapshot: of `npm run snapshot`, or of `etcdctl snapshot save`',
    )
    .option('--data-dir <dir>', 'Where the new cluster is to live; it must not exist yet')
    .option('--name <cluster>', 'Its name', { default: productDefaults.clusterName })
    .option('--size <members>', `${sizes.join(', ')} members`, { default: 3 })
    .option('--port <port>', 'First client port', { default: productDefaults.clientPort })
    .option('--skip-hash-check', "Take a copy of etcd's database, which has no hash")
    .usage('--snapshot <file> --data-dir <dir> [flags]')
    .example('npm run restore -- --snapshot backup.db --data-dir .restored')
    .example('npm start -- --data-dir .restored');
  cli.help((sections) => sections.filter(({ title }) => title !== 'Commands'));
  try {
    const { options, args } = cli.parse(['node', 'edgetcd', ...argv], { run: false });
    if (options['help'] === true) return null;
    const [extra] = args;
    if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"`);
    cli.matchedCommand?.checkUnknownOptions();
    cli.matchedCommand?.checkOptionValue();
    const given = (name: string, key: string) => {
      const text = optional(options, key, (value) => value);
      if (text === null) throw new UsageError(`${name} is missing`);
      return resolve(text);
    };
    return {
      snapshot: given('--snapshot', 'snapshot'),
      dataDir: given('--data-dir', 'dataDir'),
      name: clusterName(single(options['name'], '--name')),
      size: Number(oneOf(single(options['size'], '--size'), sizes.map(String), '--size')),
      port: intIn(single(options['port'], '--port'), 1, 65_535, '--port'),
      skipHashCheck: options['skipHashCheck'] === true,
    };
  } catch (error) {
    throw new UsageError(`${messageOf(error)}\nnpm run restore -- --help lists the flags`);
  }
}
