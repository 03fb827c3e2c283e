import { assert } from '../../src/lib/assert.ts';

/** Sections of a unit: of each its directives in order, of which some are given several times. */
export type Unit = ReadonlyMap<string, readonly (readonly [directive: string, value: string])[]>;

/** Reads a unit of systemd. @throws on what systemd would complain about */
export function readUnit(text: string): Unit {
  const sections = new Map<string, (readonly [string, string])[]>();
  let current: (readonly [string, string])[] | null = null;
  for (const line of meaningful(text)) {
    const section = /^\[(\w+)\]$/.exec(line)?.[1];
    if (section !== undefined) {
      assert(!sections.has(section), `[${section}] is there twice`);
      current = [];
      sections.set(section, current);
      continue;
    }
    const [, directive, value] = /^([A-Z]\w*)=(.*)$/.exec(line) ?? [];
    assert(directive !== undefined && value !== undefined, `no directive: ${line}`);
    assert(current !== null, `outside of all sections: ${line}`);
    current.push([directive, value]);
  }
  return sections;
}

/** The values of a directive. */
export function valuesOf(unit: Unit, section: string, directive: string): string[] {
  return (unit.get(section) ?? []).flatMap(([name, value]) => (name === directive ? [value] : []));
}

/** Reads what EnvironmentFile= names. @throws on a line that is no assignment */
export function readEnvironment(text: string): Record<string, string> {
  return Object.fromEntries(meaningful(text).map(assignment));
}

/** Of Environment=: several assignments on a line, and `%T` for where temporary files are. */
export function environmentOf(unit: Unit, temporary: string): Record<string, string> {
  const texts = valuesOf(unit, 'Service', 'Environment').flatMap((value) => value.split(' '));
  return Object.fromEntries(texts.map((text) => assignment(text.replaceAll('%T', temporary))));
}

function assignment(text: string): [string, string] {
  const [, name, value] = /^([A-Z_][A-Z\d_]*)=(\S*)$/.exec(text) ?? [];
  assert(name !== undefined && value !== undefined, `no assignment: ${text}`);
  return [name, value];
}

/** Without comments and empty lines. */
function meaningful(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^[#;]/.test(line));
}
