import { parse } from 'yaml';
import { assert } from '../../src/lib/assert.ts';

/** A service, as far as ours use what there is. */
export interface Service {
  readonly image: string;
  readonly build: string;
  readonly command: string;
  readonly init: boolean;
  readonly restart: string;
  readonly stop_grace_period: string;
  readonly healthcheck: {
    readonly test: readonly string[];
    readonly interval: string;
    readonly timeout: string;
    readonly retries: number;
    readonly start_period: string;
  };
  readonly environment: Readonly<Record<string, string>>;
  readonly ports: readonly string[];
  readonly volumes?: readonly string[];
  readonly profiles?: readonly string[];
}

export interface ComposeFile {
  readonly name: string;
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
}

/**
 * Reads a Compose file: YAML with merged keys, and variables in its texts.
 * @throws when a variable that is required is not there
 */
export function readCompose(
  text: string,
  variables: Readonly<Record<string, string>>,
): ComposeFile {
  const tree: unknown = parse(text, { merge: true, strict: true, uniqueKeys: true });
  const entries = Object.entries(interpolated(tree, variables) as Record<string, unknown>);
  // What begins with x- is there to be referred to.
  return Object.fromEntries(
    entries.filter(([name]) => !name.startsWith('x-')),
  ) as unknown as ComposeFile;
}

function interpolated(value: unknown, variables: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') return interpolate(value, variables);
  if (Array.isArray(value)) return value.map((item) => interpolated(item, variables));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, interpolated(item, variables)]),
  );
}

const VARIABLE = /\$(?:\{(\w+)(?::([-?])([^}]*))?\}|(\$))/g;

/** `${NAME}`, `${NAME:-default}`, `${NAME:?complaint}` and `$$`. */
function interpolate(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(VARIABLE, (_, name, kind, rest, dollar) => {
    if (dollar !== undefined) return '$';
    const value = variables[name] ?? '';
    if (value !== '') return value;
    assert(kind !== '?', `${name}: ${rest}`);
    return kind === '-' ? rest : '';
  });
}
