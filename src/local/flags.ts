import { parseArgs } from 'node:util';
import { UsageError } from './error.ts';

/** One of etcd's flags: `--a-b` is ETCD_A_B in the environment. */
export interface Flag {
  readonly flag: string;
  readonly value: string;
  readonly meaning: string;
  readonly fallback?: string;
}

/** A heading, and the flags below it. */
export type FlagSection = readonly [heading: string, flags: readonly Flag[]];

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a command line says. */
export interface FlagValues {
  /** By variable, so that they can lie over the environment. */
  readonly variables: Readonly<Record<string, string>>;
  readonly switches: ReadonlySet<string>;
}

/** The variable of a flag, by etcd's rule. */
export function variableOf(flag: string): string {
  return `ETCD_${flag.toUpperCase().replaceAll('-', '_')}`;
}

/**
 * Reads flags. As in etcd a variable and its flag must not both be there: one would be ignored.
 * @param switches flags without a value, beside --help
 * @throws an error that says what is wrong
 */
export function readFlags(
  argv: readonly string[],
  environment: Environment,
  sections: readonly FlagSection[],
  switches: readonly string[] = [],
): FlagValues {
  const flags = sections.flatMap(([, below]) => below.map(({ flag }) => flag));
  const options: Record<string, { type: 'string' | 'boolean'; multiple?: true; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
  };
  for (const flag of flags) options[flag] = { type: 'string', multiple: true };
  for (const name of switches) options[name] = { type: 'boolean' };
  const { values } = parseArgs({ args: [...argv], options, allowPositionals: false });
  const variables: Record<string, string> = {};
  for (const flag of flags) {
    const given = values[flag];
    if (!Array.isArray(given)) continue;
    if (given.length > 1) throw new UsageError(`--${flag} is given more than once`);
    const variable = variableOf(flag);
    if (environment[variable]) {
      throw new UsageError(
        `conflicting environment variable "${variable}" is shadowed by corresponding command-line ` +
          'flag (either unset environment variable or disable flag)',
      );
    }
    const text = String(given[0]);
    if (text === '') throw new UsageError(`--${flag} needs a value`);
    variables[variable] = text;
  }
  const set = Object.keys(values).filter((name) => values[name] === true);
  return { variables, switches: new Set(set) };
}

/** The lines of a help text. @param more what has no value, and what it means */
export function flagLines(
  sections: readonly FlagSection[],
  more: readonly (readonly [flag: string, meaning: string])[] = [],
): string[] {
  const shown = ({ flag, value }: Flag): string => `--${flag} ${value}`;
  const width = Math.max(...sections.flatMap(([, flags]) => flags.map((f) => shown(f).length)));
  const line = (left: string, meaning: string): string => `  ${left.padEnd(width)}  ${meaning}`;
  return [
    ...sections.flatMap(([heading, flags]) => [
      `${heading}:`,
      ...flags.map((flag) => {
        const fallback = flag.fallback === undefined ? '' : ` (default: ${flag.fallback})`;
        return line(shown(flag), `${flag.meaning}${fallback}`);
      }),
      '',
    ]),
    'Process:',
    ...more.map(([left, meaning]) => line(left, meaning)),
    line('-h, --help', 'This text'),
    '',
  ];
}
