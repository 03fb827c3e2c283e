import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../api/error.ts';
import { limits } from '../../config.ts';
import { auth, Guarded } from '../testing/auth.ts';
import { installed } from '../testing/single.ts';

const OLD = ERRORS.authOldRevision[1];
const digestOf = (number: number) => new Uint8Array(32).fill(number % 256).fill(number >> 8, 16);

/** A member with authentication on, and the user ann. */
function member(): Guarded {
  const guarded = new Guarded();
  guarded.enable({ ann: [] });
  return guarded;
}

function logIn(at: Guarded, digest: Uint8Array, timeMs = 0, name = 'ann'): string | null {
  const passwordRevision = BigInt(at.machine.auth.user(name)?.passwordRevision ?? 0);
  const request = auth.login({ name, passwordRevision, tokenDigest: digest, ttlMs: 1000n });
  return at.refusal(request, undefined, timeMs);
}

describe('a token', () => {
  it('is known by its digest, at every member, after restarts', () => {
    const at = member();
    expect(logIn(at, digestOf(1), 500)).toBeNull();
    const index = at.machine.appliedIndex;
    const token = { username: 'ann', index, expiresMs: 1500 };
    expect(at.machine.tokens.get(digestOf(1))).toEqual(token);
    expect(installed(at.snapshotChunks()).tokens.get(digestOf(1))).toEqual(token);
    at.machine.flush();
    at.restart();
    expect(at.machine.tokens.get(digestOf(1))).toEqual(token);
    expect(at.machine.tokens.get(digestOf(2))).toBeNull();
  });

  it('is not given for a password that has changed meanwhile', () => {
    const at = member();
    const request = auth.login({ name: 'ann', passwordRevision: 2n, tokenDigest: digestOf(1) });
    at.give(auth.changePassword('ann', 'new'));
    expect(at.refusal(request)).toBe(OLD);
    at.give(auth.deleteUser('ann'));
    expect(at.refusal(request)).toBe(OLD);
    at.give(auth.disable());
    expect(at.refusal(request)).toBe(ERRORS.authNotEnabled[1]);
    expect(at.machine.tokens.isEmpty).toBe(true);
  });

  it('ends with the password, with the user, and with authentication', () => {
    for (const end of [auth.changePassword('ann', 'new'), auth.deleteUser('ann'), auth.disable()]) {
      const at = member();
      logIn(at, digestOf(1));
      logIn(at, digestOf(2), 0, 'root');
      at.give(end);
      expect(at.machine.tokens.get(digestOf(1))).toBeNull();
      expect(at.machine.tokens.get(digestOf(2)) === null).toBe(end.case === 'authDisable');
    }
  });

  it('outlives changes of roles', () => {
    const at = member();
    logIn(at, digestOf(1));
    at.give(auth.addRole('r'));
    at.give(auth.grantRole('ann', 'r'));
    expect(at.machine.tokens.get(digestOf(1))).not.toBeNull();
  });

  it('lives on when it is renewed, and ends when it is not', () => {
    const at = member();
    const renew = (digest: Uint8Array, timeMs: number) =>
      at.give(
        {
          case: 'authTokenRenew',
          value: { $typeName: 'edgetcd.AuthTokenRenew', tokenDigest: digest, ttlMs: 1000n },
        },
        undefined,
        timeMs,
      );
    const expire = (timeMs: number) =>
      at.give(
        { case: 'authTokensExpire', value: { $typeName: 'edgetcd.AuthTokensExpire' } },
        undefined,
        timeMs,
      );
    logIn(at, digestOf(1), 0);
    logIn(at, digestOf(2), 0);
    renew(digestOf(1), 900);
    renew(digestOf(3), 900);
    expect(at.machine.tokens.hasExpired(1000)).toBe(false);
    expect(at.machine.tokens.hasExpired(1001)).toBe(true);
    expire(1500);
    expect(at.machine.tokens.get(digestOf(1))?.expiresMs).toBe(1900);
    expect(at.machine.tokens.get(digestOf(2))).toBeNull();
    expect(at.machine.tokens.get(digestOf(3))).toBeNull();
    // A clock that is behind takes nothing away.
    renew(digestOf(1), 100);
    expect(at.machine.tokens.get(digestOf(1))?.expiresMs).toBe(1900);
  });

  it('makes room for newer ones of its user', () => {
    const at = member();
    logIn(at, digestOf(9_999), 0, 'root');
    for (let i = 0; i <= limits.authTokensPerUserMax; i++) logIn(at, digestOf(i));
    expect(at.machine.tokens.get(digestOf(0))).toBeNull();
    expect(at.machine.tokens.get(digestOf(1))).not.toBeNull();
    expect(at.machine.tokens.get(digestOf(limits.authTokensPerUserMax))).not.toBeNull();
    expect(at.machine.tokens.get(digestOf(9_999))).not.toBeNull();
  });
});

it('a better hash takes the place of the old one, and changes nothing else', () => {
  const at = member();
  logIn(at, digestOf(1));
  const before = at.machine.auth.user('ann');
  const { revision } = at.machine.auth;
  const passwordRevision = BigInt(before?.passwordRevision ?? 0);
  at.give(auth.login({ name: 'ann', passwordRevision, upgradedHash: 'better' }));
  expect(at.machine.auth.user('ann')).toEqual({ ...before, passwordHash: 'better' });
  expect(at.machine.auth.revision).toBe(revision);
  expect(at.machine.tokens.get(digestOf(1))).not.toBeNull();
});
