import { defaults } from '../../config.ts';
import { parseDuration } from '../../lib/duration.ts';
import { SettingsError } from '../variables.ts';

/** How users show who they are once they have shown their password. */
export type TokenSettings =
  /** Random tokens that the cluster remembers. */
  | { readonly kind: 'simple'; readonly ttlMs: number }
  /** Signed statements that nobody has to remember. */
  | {
      readonly kind: 'jwt';
      readonly ttlMs: number;
      readonly algorithm: string;
      /** PEM, or the secret itself for HS256 and the like; null: it is not known here. */
      readonly publicKey: string | null;
      readonly privateKey: string | null;
    };

const ALGORITHMS = /^(RS|PS|ES|HS)(256|384|512)$|^EdDSA$/;
const JWT_TTL_MS = 300_000;

/**
 * ETCD_AUTH_TOKEN: "simple", or "jwt,pub-key=…,priv-key=…,sign-method=RS256,ttl=5m". A Worker has
 * no files, so a key is PEM text, or $NAME: the variable or secret that holds it.
 * @throws SettingsError
 */
export function tokenSettings(
  text: string | undefined,
  simpleTtlSeconds: number,
  variable: (name: string) => string | undefined,
): TokenSettings {
  const [kind = '', ...rest] = (text || 'simple').split(',');
  if (kind === 'simple') return { kind, ttlMs: simpleTtlSeconds * 1000 };
  if (kind !== 'jwt') throw wrong(`${kind} is neither simple nor jwt`);
  const options = optionsOf(rest);
  const algorithm = options.get('sign-method') ?? '';
  if (!ALGORITHMS.test(algorithm)) throw wrong('sign-method is not one of RS256, ES256, HS256, …');
  const key = (name: string) => keyOf(name, options.get(name), variable);
  const publicKey = key('pub-key');
  const privateKey = key('priv-key');
  if (publicKey === null && privateKey === null)
    throw wrong('neither pub-key nor priv-key is given');
  return { kind, algorithm, publicKey, privateKey, ttlMs: ttlOf(options.get('ttl')) };
}

const OPTIONS: ReadonlySet<string> = new Set(['pub-key', 'priv-key', 'sign-method', 'ttl']);

function optionsOf(pairs: readonly string[]): Map<string, string> {
  const options = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const name = pair.slice(0, at);
    if (!OPTIONS.has(name)) throw wrong(`unknown option ${at < 0 ? pair : name}`);
    options.set(name, pair.slice(at + 1));
  }
  return options;
}

function keyOf(
  option: string,
  text: string | undefined,
  variable: (name: string) => string | undefined,
): string | null {
  if (text === undefined || text === '') return null;
  if (!text.startsWith('$')) return text;
  const key = variable(text.slice(1));
  if (!key) throw wrong(`${option}: there is no variable ${text.slice(1)}`);
  return key;
}

function ttlOf(text: string | undefined): number {
  if (text === undefined) return JWT_TTL_MS;
  const ttlMs = parseDuration(text);
  if (ttlMs === null || ttlMs < 1000) throw wrong(`ttl is not a duration of a second or more`);
  return ttlMs;
}

/** The value itself may be a key, and is not repeated. */
function wrong(reason: string): SettingsError {
  return new SettingsError(`ETCD_AUTH_TOKEN: ${reason}`);
}

/** Without any variable. */
export const DEFAULT_TOKENS: TokenSettings = {
  kind: 'simple',
  ttlMs: defaults.authTokenTtlSeconds * 1000,
};
