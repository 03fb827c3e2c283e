import { resolve } from 'node:path';
import { cac } from 'cac';
import { defaults as productDefaults } from '../config.ts';
import { messageOf, UsageError } from './error.ts';
import { type LogLevel, logLevels } from './output.ts';

type HelpSection = { title?: string; body: string };

export const sizes = [1, 3, 5];

/**
 * What `start` was asked for. What is null was not said: the data directory or a default decides.
 */
export interface StartOptions {
  readonly port: number | null;
  readonly size: number | null;
  readonly name: string | null;
  readonly dataDir: string;
  readonly logLevel: LogLevel;
  readonly restart: boolean;
  /** Whether the client ports serve gRPC beside HTTP. */
  readonly grpc: boolean;
  readonly defaults: { readonly port: number; readonly size: number; readonly name: string };
}

const defaults = {
  port: productDefaults.clientPort,
  size: 3,
  name: productDefaults.clusterName,
} as const;

/**
 * Reads the command line.
 * @returns null when it asked for help, which has been printed then
 * @throws UsageError
 */
export function readCommandLine(argv: readonly string[]): StartOptions | null {
  const cli = commandLine();
  try {
    const parsed = cli.parse(['node', 'edgetcd', ...argv], { run: false });
    if (parsed.options['help'] === true) return null;
    const [extra] = parsed.args;
    if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"`);
    cli.matchedCommand?.checkUnknownOptions();
    cli.matchedCommand?.checkOptionValue();
    return validate(parsed.options);
  } catch (error) {
    throw new UsageError(`${messageOf(error)}\nnpm start -- --help lists the flags`);
  }
}

function commandLine() {
  const cli = cac('npm start --');
  cli
    .command('', 'Start a local cluster: one process per member, until Ctrl-C')
    .option(
      '--port <port>',
      `First member's port; the others' are 20000, 30000 … higher, or next to it (default: ${defaults.port}, or as before)`,
    )
    .option('--data-dir <dir>', 'Where the data lives; kept from one start to the next', {
      default: '.edgetcd',
    })
    .option(
      '--size <members>',
      `How many members: ${sizes.join(', ')} (default: ${defaults.size}, or as before)`,
    )
    .option('--name <cluster>', `The cluster's name (default: ${defaults.name}, or as before)`)
    .option('--log-level <level>', `Members' lines shown: ${logLevels.join(', ')}`, {
      default: 'info',
    })
    .option(
      '--grpc <on>',
      'Serve gRPC on the client ports too; the members listen one port higher',
      {
        default: 'true',
      },
    )
    .option('--no-restart', 'Leave a member dead when its process dies')
    .usage('[flags]')
    .example('npm start')
    .example('npm start -- --port 23790 --data-dir /var/lib/edgetcd')
    .example('npm start -- --size 5 --no-restart')
    .example('npm start -- member --help      # one member more, of a cluster that runs')
    .example('ETCD_SNAPSHOT_COUNT=100 npm start      # variables: docs/CONFIGURATION.md');
  cli.help((sections) => sections.filter(isOurs).map(withoutNegatedDefault));
  return cli;
}

/** There is one command: a list of commands, and how to get help on each, would only puzzle. */
function isOurs(section: HelpSection): boolean {
  const title = section.title ?? '';
  return title !== 'Commands' && !title.startsWith('For more info');
}

/** `--no-restart (default: true)` would say the opposite of what is so. */
function withoutNegatedDefault(section: HelpSection): HelpSection {
  return { ...section, body: section.body.replace(' (default: true)', '') };
}

function validate(flags: Readonly<Record<string, unknown>>): StartOptions {
  return {
    port: optional(flags, 'port', (text) => intIn(text, 1, 65_535, '--port')),
    size: optional(flags, 'size', (text) => Number(oneOf(text, sizes.map(String), '--size'))),
    name: optional(flags, 'name', clusterName),
    dataDir: resolve(single(flags['dataDir'], '--data-dir')),
    logLevel: logLevel(single(flags['logLevel'], '--log-level')),
    restart: flags['restart'] === true,
    grpc: onOff(flags['grpc'], '--grpc'),
    defaults,
  };
}

export function optional<T>(
  flags: Readonly<Record<string, unknown>>,
  name: string,
  read: (text: string) => T,
): T | null {
  return flags[name] === undefined ? null : read(single(flags[name], `--${name}`));
}

/** The flag's text. A flag that is given twice arrives as an array. */
export function single(value: unknown, flag: string): string {
  if (Array.isArray(value)) throw new UsageError(`${flag} is given more than once`);
  const text = String(value);
  if (text === '' || typeof value === 'boolean') throw new UsageError(`${flag} needs a value`);
  return text;
}

export function intIn(text: string, low: number, high: number, flag: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= low && value <= high) return value;
  throw new UsageError(`${flag} must be a number from ${low} to ${high}, not "${text}"`);
}

export function oneOf(text: string, allowed: readonly string[], flag: string): string {
  if (allowed.includes(text)) return text;
  throw new UsageError(`${flag} must be one of ${allowed.join(', ')}, not "${text}"`);
}

/** A switch that is on unless it is turned off: `--grpc=false`. */
export function onOff(value: unknown, flag: string): boolean {
  return oneOf(single(value, flag), ['true', 'false'], flag) === 'true';
}

export function logLevel(text: string): LogLevel {
  const level = logLevels.find((known) => known === text);
  if (level !== undefined) return level;
  throw new UsageError(`--log-level must be one of ${logLevels.join(', ')}, not "${text}"`);
}

/** The name becomes part of object names (`<cluster>/<member>`). */
export function clusterName(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text)) return text;
  throw new UsageError(
    `--name must be 1 to 63 letters, digits, dots, dashes or underscores, not "${text}"`,
  );
}
