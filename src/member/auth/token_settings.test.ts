import { describe, expect, it } from 'vitest';
import { tokenSettings } from './token_settings.ts';

const read = (text: string | undefined, variables: Record<string, string> = {}) =>
  tokenSettings(text, 300, (name) => variables[name]);

describe('ETCD_AUTH_TOKEN', () => {
  it('is simple where nothing is said', () => {
    for (const text of [undefined, '', 'simple']) {
      expect(read(text)).toEqual({ kind: 'simple', ttlMs: 300_000 });
    }
  });

  it('takes keys as text, and from variables', () => {
    const text = 'jwt,pub-key=$JWT_PUBLIC,priv-key=-----BEGIN,sign-method=ES256,ttl=1h30m';
    expect(read(text, { JWT_PUBLIC: 'PEM' })).toEqual({
      kind: 'jwt',
      algorithm: 'ES256',
      publicKey: 'PEM',
      privateKey: '-----BEGIN',
      ttlMs: 5_400_000,
    });
    expect(read('jwt,priv-key=s=cret,sign-method=HS256')).toMatchObject({
      publicKey: null,
      privateKey: 's=cret',
      ttlMs: 300_000,
    });
  });

  it.each([
    ['bearer', /neither simple nor jwt/],
    ['jwt', /sign-method/],
    ['jwt,sign-method=none,pub-key=x', /sign-method/],
    ['jwt,sign-method=RS256', /neither pub-key nor priv-key/],
    ['jwt,sign-method=RS256,pub-key=$MISSING', /no variable MISSING/],
    ['jwt,sign-method=RS256,pub-key=x,ttl=soon', /ttl/],
    ['jwt,sign-method=RS256,pub-key=x,ttl=10ms', /ttl/],
    ['jwt,sign-method=RS256,pub-kye=x', /unknown option pub-kye/],
  ])('names what is wrong with %s', (text, reason) => {
    expect(() => read(text)).toThrow(reason);
  });

  it('keeps keys out of what it says', () => {
    expect(() => read('jwt,sign-method=X,priv-key=hush')).not.toThrow(/hush/);
  });
});
