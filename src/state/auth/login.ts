import { EtcdError } from '../../api/error.ts';
import type { AuthLogin, AuthTokenRenew } from '../../api/gen/command_pb.ts';
import type { Auth } from './auth.ts';
import type { Tokens } from './tokens.ts';
import { validatePasswordHash } from './validate.ts';

/** When and where a command stands: what a token takes from it. */
export interface Place {
  readonly index: number;
  readonly timeMs: number;
}

/**
 * A member found the password right. It looked at its own state: what has changed on the way to the
 * log counts, and the client is told to come again with what it has now.
 */
export function login(auth: Auth, tokens: Tokens, request: AuthLogin, place: Place) {
  if (!auth.enabled) throw EtcdError.of('authNotEnabled');
  const { name, upgradedHash, tokenDigest } = request;
  const user = auth.user(name);
  if (user === null || BigInt(user.passwordRevision) !== request.passwordRevision) {
    throw EtcdError.of('authOldRevision');
  }
  validatePasswordHash(upgradedHash);
  // The same password: its revision stays, and so does the auth revision with all tokens.
  if (upgradedHash !== '') auth.putUser({ ...user, passwordHash: upgradedHash });
  if (tokenDigest.length > 0) {
    const expiresMs = expiryOf(place, request.ttlMs);
    tokens.add(tokenDigest, { username: name, index: place.index, expiresMs });
  }
  return {};
}

/** A token that is gone stays gone. */
export function renewToken(tokens: Tokens, request: AuthTokenRenew, place: Place) {
  tokens.renew(request.tokenDigest, expiryOf(place, request.ttlMs));
  return {};
}

function expiryOf({ timeMs }: Place, ttlMs: bigint): number {
  return timeMs + Number(ttlMs);
}
