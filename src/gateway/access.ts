import { Code, EtcdError } from '../api/error.ts';
import { utf8 } from '../lib/bytes.ts';
import type { Settings } from './env.ts';

/**
 * Whether methods are open is the members' to say, who know whether authentication is on. Metrics
 * are no method, and what reads them cannot log in: in a deployment that does not serve everyone
 * they have a secret of their own.
 * @throws EtcdError
 */
export function requireMetricsAccess(settings: Settings, headers: Headers): void {
  if (settings.open) return;
  const { metricsToken } = settings;
  if (metricsToken === null) {
    throw new EtcdError(
      Code.unavailable,
      'edgetcd: metrics are closed: set the secret EDGETCD_METRICS_TOKEN, and send it as a bearer token',
    );
  }
  const access = bearerAccess(headers, metricsToken);
  if (access !== 'granted') throw EtcdError.of('invalidAuthToken');
}

export type BearerAccess = 'granted' | 'unauthenticated' | 'denied';

/** Whether a request carries `Authorization: Bearer <secret>`. */
export function bearerAccess(headers: Headers, secret: string): BearerAccess {
  const [, given] = /^Bearer (.+)$/i.exec(headers.get('authorization') ?? '') ?? [];
  if (given === undefined) return 'unauthenticated';
  return equalSecrets(given, secret) ? 'granted' : 'denied';
}

/** Takes a time that does not depend on where two secrets differ; only the length can show. */
export function equalSecrets(given: string, expected: string): boolean {
  const a = utf8(given);
  const b = utf8(expected);
  const sameLength = a.length === b.length;
  return equalInConstantTime(sameLength ? a : b, b) && sameLength;
}

function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  // The Workers runtime has a primitive for this; elsewhere (Node) every byte is looked at.
  if ('timingSafeEqual' in crypto.subtle) return crypto.subtle.timingSafeEqual(a, b);
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
