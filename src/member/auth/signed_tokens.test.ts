import { exportPKCS8, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../lib/bytes.ts';
import { SignedTokens } from './signed_tokens.ts';

const NOW = 1_700_000_000_000;
const SECRET = 'a secret of thirty-two characters';

const settings = (algorithm: string, publicKey: string | null, privateKey: string | null) => ({
  kind: 'jwt' as const,
  algorithm,
  publicKey,
  privateKey,
  ttlMs: 300_000,
});

async function pair(algorithm: string) {
  const keys = await generateKeyPair(algorithm, { extractable: true });
  return {
    publicKey: await exportSPKI(keys.publicKey),
    privateKey: await exportPKCS8(keys.privateKey),
    signKey: keys.privateKey,
  };
}

let rsa: Awaited<ReturnType<typeof pair>>;
beforeAll(async () => {
  rsa = await pair('RS256');
});

describe('signed tokens', () => {
  it('say who, as of when, until when', async () => {
    const tokens = await SignedTokens.open(settings('RS256', rsa.publicKey, rsa.privateKey));
    const token = await tokens.sign('ann', 7, NOW);
    expect(await tokens.verify(token, NOW)).toEqual({
      username: 'ann',
      authRevision: 7n,
      expiresMs: NOW + 300_000,
    });
    expect(await tokens.verify(token, NOW + 299_000)).not.toBeNull();
    expect(await tokens.verify(token, NOW + 300_000)).toBeNull();
  });

  it('are good at who has the public key alone, which cannot sign', async () => {
    const signer = await SignedTokens.open(settings('RS256', rsa.publicKey, rsa.privateKey));
    const verifier = await SignedTokens.open(settings('RS256', rsa.publicKey, null));
    expect(await verifier.verify(await signer.sign('ann', 1, NOW), NOW)).not.toBeNull();
    await expect(verifier.sign('ann', 1, NOW)).rejects.toThrow(/verify-only/);
  });

  it.each(['RS256', 'PS384', 'ES256', 'ES512', 'EdDSA'])(
    'by %s are checked with the private key alone',
    async (algorithm) => {
      const { privateKey } = await pair(algorithm);
      const tokens = await SignedTokens.open(settings(algorithm, null, privateKey));
      expect(await tokens.verify(await tokens.sign('ann', 1, NOW), NOW)).not.toBeNull();
    },
  );

  it('by a shared secret', async () => {
    const tokens = await SignedTokens.open(settings('HS256', null, SECRET));
    const others = await SignedTokens.open(settings('HS256', null, SECRET.toUpperCase()));
    const token = await tokens.sign('ann', 1, NOW);
    expect(await tokens.verify(token, NOW)).not.toBeNull();
    expect(await others.verify(token, NOW)).toBeNull();
    await expect(SignedTokens.open(settings('HS256', null, 'short'))).rejects.toThrow(/too short/);
  });

  it('of another algorithm are none, whatever they say of themselves', async () => {
    const tokens = await SignedTokens.open(settings('RS256', rsa.publicKey, rsa.privateKey));
    const claims = { username: 'root', revision: 99, exp: NOW / 1000 + 60 };
    const forged = [
      // The public key, which everybody may know, taken for a shared secret.
      await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(utf8(rsa.publicKey)),
      `${part({ alg: 'none' })}.${part(claims)}.`,
      `${part({ alg: 'RS256' })}.${part(claims)}.AAAA`,
      await new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS512' })
        .sign(rsa.signKey)
        .catch(() => ''),
    ];
    for (const token of forged) expect(await tokens.verify(token, NOW)).toBeNull();
  });

  it('that leave something out are none', async () => {
    const tokens = await SignedTokens.open(settings('RS256', rsa.publicKey, null));
    const whole = { username: 'ann', revision: 1, exp: NOW / 1000 + 60 };
    const sign = (claims: Record<string, unknown>) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'RS256' }).sign(rsa.signKey);
    expect(await tokens.verify(await sign(whole), NOW)).not.toBeNull();
    for (const claims of [
      { ...whole, username: '' },
      { ...whole, username: 7 },
      { ...whole, revision: '1' },
      { ...whole, revision: -1 },
      { username: 'ann', revision: 1 },
    ]) {
      expect(await tokens.verify(await sign(claims), NOW)).toBeNull();
    }
  });

  it('need keys that are keys', async () => {
    const open = SignedTokens.open(settings('RS256', null, '-----BEGIN RSA PRIVATE KEY-----'));
    await expect(open).rejects.toThrow(/PKCS #8/);
    await expect(SignedTokens.open(settings('RS256', 'x', null))).rejects.toThrow(
      /ETCD_AUTH_TOKEN/,
    );
  });

  it('take a key whose line ends were written out', async () => {
    const oneLine = rsa.privateKey.replaceAll('\n', '\\n');
    const tokens = await SignedTokens.open(settings('RS256', null, oneLine));
    expect(await tokens.verify(await tokens.sign('ann', 1, NOW), NOW)).not.toBeNull();
  });
});

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
