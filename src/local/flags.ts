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

/** The variable of a flag, by etcd's rule. */
export function variableOf(flag: string): string {
  return `ETCD_${flag.toUpperCase().replaceAll('-', '_')}`;
}

/**
 * What flags and environment say, by variable. As in etcd a variable and its flag must not both be
 * there: one would be ignored.
 * @returns null when help was asked for
 * @throws an error that says what is wrong
 */
export function readFlags(
  argv: readonly string[],
  environment: Environment,
  sections: readonly FlagSection[],
): Record<string, string> | null {
  const flags = sections.flatMap(([, below]) => below.map(({ flag }) => flag));
  const texts = flags.map((flag) => [flag, { type: 'string', multiple: true }] as const);
  const options = { ...Object.fromEntries(texts), help: { type: 'boolean', short: 'h' } } as const;
  const { values } = parseArgs({ args: [...argv], options, allowPositionals: false });
  if (values['help'] === true) return null;
  const said: Record<string, string> = {};
  for (const flag of flags) {
    const variable = variableOf(flag);
    const inherited = environment[variable];
    if (inherited) said[variable] = inherited;
    const given: unknown = values[flag];
    if (!Array.isArray(given)) continue;
    if (given.length > 1) throw new UsageError(`--${flag} is given more than once`);
    if (inherited) {
      throw new UsageError(
        `conflicting environment variable "${variable}" is shadowed by corresponding command-line ` +
          'flag (either unset environment variable or disable flag)',
      );
    }
    const text = String(given[0]);
    if (text === '') throw new UsageError(`--${flag} needs a value`);
    said[variable] = text;
  }
  return said;
}

/** The lines of a help text. */
export function flagLines(sections: readonly FlagSection[]): string[] {
  const shown = ({ flag, value }: Flag): string => `--${flag} ${value}`;
  const width = Math.max(...sections.flatMap(([, flags]) => flags.map((f) => shown(f).length)));
  return sections.flatMap(([heading, flags]) => [
    `${heading}:`,
    ...flags.map((each) => {
      const fallback = each.fallback === undefined ? '' : ` (default: ${each.fallback})`;
      return `  ${shown(each).padEnd(width)}  ${each.meaning}${fallback}`;
    }),
    '',
  ]);
}
