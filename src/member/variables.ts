import { parseDuration } from '../lib/duration.ts';

/** The configuration is wrong: the member says so and does not start. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** Variables that are set; an empty one counts as not set. */
type Variables = { readonly [name: string]: unknown };

/** Reads variables as etcd reads its flags; what is wrong is named. */
export class VariableReader<N extends string> {
  readonly #variables: Variables;
  readonly #known = new Set<string>();

  constructor(variables: { readonly [name in N]?: unknown }) {
    this.#variables = variables;
  }

  /** The variables that somebody has asked for. */
  get known(): ReadonlySet<string> {
    return this.#known;
  }

  /** null: not set. */
  text(name: N): string | null {
    this.#known.add(name);
    const value = this.#variables[name];
    return typeof value === 'string' && value !== '' ? value : null;
  }

  /** A whole number. @throws SettingsError */
  number(name: N, fallback: number, least = 0): number {
    const text = this.text(name);
    if (text === null) return fallback;
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value)) {
      throw new SettingsError(`${name} is not a number: "${text}"`);
    }
    if (value < least) throw new SettingsError(`${name} must be at least ${least}`);
    return value;
  }

  /** Milliseconds of what Go calls a duration: `1h30m`, `100ms`, `0`. @throws SettingsError */
  durationMs(name: N, fallbackMs: number, leastMs = 0): number {
    const text = this.text(name);
    if (text === null) return fallbackMs;
    const ms = parseDuration(text);
    if (ms === null) throw new SettingsError(`${name} is not a duration, as 5m or 1.5s: "${text}"`);
    if (ms < leastMs) throw new SettingsError(`${name} must be at least ${leastMs}ms`);
    return ms;
  }

  /** As Go's flags: 1, t, T, true, TRUE, True and their opposites. @throws SettingsError */
  flag(name: N, fallback: boolean): boolean {
    const text = this.text(name);
    if (text === null) return fallback;
    if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
    if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
    throw new SettingsError(`${name} is neither true nor false: "${text}"`);
  }

  /** One of a few words. @throws SettingsError */
  choice<C extends string>(name: N, known: readonly C[], fallback: C): C {
    const text = this.text(name) ?? fallback;
    const found = known.find((each) => each === text);
    if (found === undefined) {
      throw new SettingsError(`${name} is not one of ${known.join(', ')}`);
    }
    return found;
  }
}
