import {
  type CryptoKey,
  exportJWK,
  importJWK,
  importPKCS8,
  importSPKI,
  importX509,
  type JWK,
  jwtVerify,
  SignJWT,
} from 'jose';
import { EtcdError } from '../../api/error.ts';
import { utf8 } from '../../lib/bytes.ts';
import { messageOf } from '../../lib/error.ts';
import { SettingsError } from '../variables.ts';
import type { TokenSettings } from './token_settings.ts';

type SignedSettings = Extract<TokenSettings, { kind: 'jwt' }>;
type Key = CryptoKey | Uint8Array;

/** What a token says: who, as of which revision of users and roles, until when. */
export interface Claims {
  readonly username: string;
  readonly authRevision: bigint;
  readonly expiresMs: number;
}

/**
 * JSON Web Tokens with etcd's claims. The algorithm is the configured one and no other, whatever a
 * token says of itself.
 */
export class SignedTokens {
  readonly #algorithm: string;
  readonly #ttlMs: number;
  readonly #verifyKey: Key;
  readonly #signKey: Key | null;

  /** @throws SettingsError for keys that do not fit the algorithm */
  static async open(settings: SignedSettings): Promise<SignedTokens> {
    try {
      const { verifyKey, signKey } = await keysOf(settings);
      return new SignedTokens(settings, verifyKey, signKey);
    } catch (error) {
      throw new SettingsError(`ETCD_AUTH_TOKEN: ${messageOf(error)}`);
    }
  }

  private constructor(settings: SignedSettings, verifyKey: Key, signKey: Key | null) {
    this.#algorithm = settings.algorithm;
    this.#ttlMs = settings.ttlMs;
    this.#verifyKey = verifyKey;
    this.#signKey = signKey;
  }

  /** @throws EtcdError when only the public key is here */
  async sign(username: string, authRevision: number, nowMs: number): Promise<string> {
    if (this.#signKey === null) throw EtcdError.of('verifyOnlyToken');
    const exp = Math.floor((nowMs + this.#ttlMs) / 1000);
    return new SignJWT({ username, revision: authRevision, exp })
      .setProtectedHeader({ alg: this.#algorithm, typ: 'JWT' })
      .sign(this.#signKey);
  }

  /** Null for whatever is not a token of ours, or is not one any more. */
  async verify(token: string, nowMs: number): Promise<Claims | null> {
    try {
      const options = {
        algorithms: [this.#algorithm],
        currentDate: new Date(nowMs),
        requiredClaims: ['exp'],
      };
      const { payload } = await jwtVerify(token, this.#verifyKey, options);
      const { username, revision, exp } = payload;
      if (typeof username !== 'string' || username === '') return null;
      if (typeof revision !== 'number' || !Number.isSafeInteger(revision) || revision < 0) {
        return null;
      }
      return { username, authRevision: BigInt(revision), expiresMs: Number(exp) * 1000 };
    } catch {
      return null;
    }
  }
}

/** null: tokens are kept, not signed. @throws SettingsError */
export async function openSignedTokens(settings: TokenSettings): Promise<SignedTokens | null> {
  return settings.kind === 'jwt' ? SignedTokens.open(settings) : null;
}

async function keysOf({ algorithm, publicKey, privateKey }: SignedSettings) {
  if (algorithm.startsWith('HS')) {
    const secret = utf8(privateKey ?? publicKey ?? '');
    // RFC 7518 §3.2: as long as the hash, or the signature is weaker than it looks.
    if (secret.length * 8 < Number(algorithm.slice(2))) throw new Error('the secret is too short');
    return { verifyKey: secret, signKey: secret };
  }
  const signKey = privateKey === null ? null : await importPrivate(privateKey, algorithm);
  if (publicKey !== null) return { verifyKey: await importPublic(publicKey, algorithm), signKey };
  if (signKey === null) throw new Error('there is no key');
  return { verifyKey: await publicOf(signKey, algorithm), signKey };
}

function importPrivate(pem: string, algorithm: string): Promise<CryptoKey> {
  if (!pem.includes('BEGIN PRIVATE KEY')) {
    throw new Error('priv-key is not PKCS #8 (openssl pkcs8 -topk8 -nocrypt converts others)');
  }
  return importPKCS8(lines(pem), algorithm, { extractable: true });
}

function importPublic(pem: string, algorithm: string): Promise<CryptoKey> {
  if (pem.includes('BEGIN CERTIFICATE')) return importX509(lines(pem), algorithm);
  return importSPKI(lines(pem), algorithm);
}

/** The public half of a private key: what a verifier needs is in it. */
async function publicOf(key: CryptoKey, algorithm: string): Promise<Key> {
  const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...half }: JWK = await exportJWK(key);
  return importJWK(half, algorithm);
}

/** A variable of one line has its line ends written out. */
function lines(pem: string): string {
  return pem.replaceAll('\\n', '\n');
}
