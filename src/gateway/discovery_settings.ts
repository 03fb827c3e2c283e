import { defaults, limits } from '../config.ts';
import { parseDuration } from '../lib/duration.ts';
import { ConfigError } from './config_error.ts';

/** The variables of the discovery service. */
export interface DiscoveryEnv {
  readonly EDGETCD_DISCOVERY_SERVICE?: string;
  readonly EDGETCD_DISCOVERY_SECRET?: string;
  readonly EDGETCD_DISCOVERY_TTL?: string;
  readonly EDGETCD_DISCOVERY_URL?: string;
}

/** How the discovery service is offered. */
export interface DiscoverySettings {
  /** Where clusters find it; null: at the URL by which it was asked. */
  readonly publicUrl: string | null;
  /** How long a token lives. */
  readonly ttlSeconds: number;
  /** What whoever makes a token has to show; null: nothing. Tokens need no other secret. */
  readonly secret: string | null;
}

/**
 * Null: the service is off. By default it is on where everybody is served: elsewhere it would let
 * strangers write, if only tokens and for a time, and its operator decides.
 * @throws ConfigError
 */
export function discoverySettings(env: DiscoveryEnv, open: boolean): DiscoverySettings | null {
  const service = env.EDGETCD_DISCOVERY_SERVICE || (open ? 'on' : 'off');
  if (service !== 'on' && service !== 'off') {
    throw new ConfigError(`EDGETCD_DISCOVERY_SERVICE is neither on nor off: "${service}"`);
  }
  const settings = {
    publicUrl: publicUrlOf(env.EDGETCD_DISCOVERY_URL),
    ttlSeconds: ttlSecondsOf(env.EDGETCD_DISCOVERY_TTL),
    secret: env.EDGETCD_DISCOVERY_SECRET || null,
  };
  return service === 'on' ? settings : null;
}

function publicUrlOf(text: string | undefined): string | null {
  if (!text) return null;
  const url = text.replace(/\/+$/, '');
  if (/^https?:\/\/[^\s/?#]+$/.test(url) && URL.canParse(url)) return url;
  throw new ConfigError(`EDGETCD_DISCOVERY_URL is not like https://discovery.example: "${text}"`);
}

function ttlSecondsOf(text: string | undefined): number {
  const ms = text ? parseDuration(text) : defaults.discoveryTtlMs;
  if (ms === null) throw new ConfigError(`EDGETCD_DISCOVERY_TTL is not a duration: "${text}"`);
  if (ms < limits.discoveryTtlMsMin || ms > limits.v2TtlSecondsMax * 1_000) {
    throw new ConfigError(`EDGETCD_DISCOVERY_TTL must be at least ${limits.discoveryTtlMsMin} ms`);
  }
  return Math.ceil(ms / 1_000);
}
