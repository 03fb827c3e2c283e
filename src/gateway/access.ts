import { Code, EtcdError } from '../api/error.ts';
import { utf8 } from '../lib/bytes.ts';
import type { Settings } from './env.ts';

/**
 * A deployment on the public internet is closed until its operator decides.
 * @throws EtcdError naming the ways out
 */
export function requireOpen(settings: Settings): void {
  if (settings.open) return;
  throw new EtcdError(
    Code.unavailable,
    'edgetcd: this deployment is closed: enable authentication, or set ' +
      'ALLOW_NONE_AUTHENTICATION=yes to serve everyone who can reach it',
  );
}

export type PeerAccess = 'granted' | 'unauthenticated' | 'denied';

/** Whether a request to the peer route carries `Authorization: Bearer <secret>`. */
export function peerAccess(headers: Headers, secret: string): PeerAccess {
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
