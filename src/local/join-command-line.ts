import { resolve } from 'node:path';
import { cac } from 'cac';
import { clusterName, intIn, logLevel, onOff, optional, single } from './command-line.ts';
import { messageOf, UsageError } from './error.ts';
import { type LogLevel, logLevels } from './output.ts';

/**
 * What `start member` was asked for. What is null was not said: the data directory decides, where a
 * member has been before.
 */
export interface JoinOptions {
  readonly join: string | null;
  readonly name: string | null;
  readonly port: number | null;
  readonly peerUrl: string | null;
  readonly dataDir: string | null;
  readonly learner: boolean;
  /** The data directory of a cluster on this machine, which holds its secret. */
  readonly secretFrom: string;
  readonly user: string | null;
  readonly logLevel: LogLevel;
  readonly restart: boolean;
  /** Whether its client port serves gRPC beside HTTP; decided at its first start. */
  readonly grpc: boolean;
}

/** @returns null when it asked for help, which has been printed then. @throws UsageError */
export function readJoinCommandLine(argv: readonly string[]): JoinOptions | null {
  const cli = commandLine();
  try {
    const { options, args } = cli.parse(['node', 'edgetcd', ...argv], { run: false });
    if (options['help'] === true) return null;
    const [extra] = args;
    if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"`);
    cli.matchedCommand?.checkUnknownOptions();
    cli.matchedCommand?.checkOptionValue();
    return validate(options);
  } catch (error) {
    throw new UsageError(`${messageOf(error)}\nnpm start -- member --help lists the flags`);
  }
}

function commandLine() {
  const cli = cac('npm start -- member');
  cli
    .command('', 'Start one more member, of a cluster that runs; add it unless it is added already')
    .option('--join <url>', 'A member of the cluster, by its client URL; once, at the first start')
    .option('--name <member>', 'What the new member is called')
    .option('--port <port>', 'Its port for clients (default: a free one); for peers: the next one')
    .option('--peer-url <url>', 'Where its peers reach it (default: http://127.0.0.1:<port + 1>)')
    .option('--grpc <on>', 'Serve gRPC on its port too; off: peers use the same port', {
      default: 'true',
    })
    .option('--data-dir <dir>', 'Where its data lives (default: .edgetcd-<name>)')
    .option('--learner', 'Add it as a learner: it catches up without a vote, until it is promoted')
    .option('--secret-from <dir>', "The cluster's data directory; PEER_SECRET goes before it", {
      default: '.edgetcd',
    })
    .option('--user <name:password>', 'Who adds it, where authentication is on')
    .option('--log-level <level>', `Lines shown: ${logLevels.join(', ')}`, { default: 'info' })
    .option('--no-restart', 'Leave it dead when its process dies')
    .usage('--join <url> --name <member> [flags]')
    .example('npm start -- member --join http://127.0.0.1:2379 --name m4')
    .example('npm start -- member --join http://127.0.0.1:2379 --name m4 --learner')
    .example('npm start -- member --data-dir .edgetcd-m4      # again, after it was stopped');
  cli.help((sections) =>
    sections
      .filter(({ title = '' }) => title !== 'Commands' && !title.startsWith('For more info'))
      .map((section) => ({ ...section, body: section.body.replace(' (default: true)', '') })),
  );
  return cli;
}

function validate(flags: Readonly<Record<string, unknown>>): JoinOptions {
  const name = optional(flags, 'name', clusterName);
  const dataDir = flags['dataDir'] ?? (name === null ? null : `.edgetcd-${name}`);
  const join = flags['join'];
  if (join === undefined && flags['dataDir'] === undefined) {
    throw new UsageError('--join and --name are missing, or --data-dir of a member that was here');
  }
  if (join !== undefined && name === null) throw new UsageError('--name is missing');
  return {
    name,
    join: join === undefined ? null : httpUrl(single(join, '--join'), '--join'),
    port: optional(flags, 'port', (text) => intIn(text, 1, 65_535, '--port')),
    peerUrl:
      flags['peerUrl'] === undefined
        ? null
        : httpUrl(single(flags['peerUrl'], '--peer-url'), '--peer-url'),
    dataDir: dataDir === null ? null : resolve(single(dataDir, '--data-dir')),
    learner: flags['learner'] === true,
    secretFrom: resolve(single(flags['secretFrom'], '--secret-from')),
    user: optional(flags, 'user', userAndPassword),
    logLevel: logLevel(single(flags['logLevel'], '--log-level')),
    restart: flags['restart'] === true,
    grpc: onOff(flags['grpc'], '--grpc'),
  };
}

/** Without the slash that people add. */
function httpUrl(text: string, flag: string): string {
  const url = text.replace(/\/+$/, '');
  if (/^https?:\/\/[^/\s]+$/.test(url)) return url;
  throw new UsageError(`${flag} must be like http://127.0.0.1:2379, not "${text}"`);
}

function userAndPassword(text: string): string {
  if (/^[^:]+:/.test(text)) return text;
  throw new UsageError(`--user must be name:password, not "${text}"`);
}
