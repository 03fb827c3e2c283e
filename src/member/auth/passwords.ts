import { EtcdError } from '../../api/error.ts';
import { limits } from '../../config.ts';
import { utf8 } from '../../lib/bytes.ts';
import { equalInConstantTime } from './constant_time.ts';
import { Slots } from './slots.ts';

/** The most that the platform allows; what new passwords get. */
const ITERATIONS = 100_000;
/** Fewer would be no protection; only hashes that were brought along can have them. */
const ITERATIONS_MIN = 1_000;
const SALT_BYTES = 16;
const DIGEST_BYTES = 32;

/** PHC string format: what is needed to check a password against the hash stands in the hash. */
const FORMAT = /^\$pbkdf2-sha256\$i=(\d{1,7})\$([A-Za-z0-9+/]{16,64})\$([A-Za-z0-9+/]{43})$/;

interface Hash {
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly digest: Uint8Array;
}

/**
 * Makes and checks the hashes of passwords, on the member that was asked. Each costs tens of
 * milliseconds of CPU by design, so few run at once, and few wait.
 */
export class Passwords {
  readonly #slots = new Slots(limits.passwordHashesAtOnceMax, limits.passwordHashesWaitingMax);
  readonly #iterations: number;

  /** @param iterations fewer only in tests */
  constructor(iterations = ITERATIONS) {
    this.#iterations = iterations;
  }

  /** @throws EtcdError when the password is too long, or too many want hashes */
  async hash(password: string): Promise<string> {
    const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
    const digest = await this.#derive(password, salt, this.#iterations);
    return `$pbkdf2-sha256$i=${this.#iterations}$${base64(salt)}$${base64(digest)}`;
  }

  /**
   * Whether the password is that of the hash. Without a hash, as for a user that does not exist, it
   * takes as long to say no.
   */
  async matches(password: string, hash: string | null): Promise<boolean> {
    const known = hash === null ? null : parse(hash);
    const { iterations, salt, digest } = known ?? this.#nobodys;
    const derived = await this.#derive(password, salt, iterations);
    return equalInConstantTime(derived, digest) && known !== null;
  }

  /** Whether a hash is not what a new one would be: its password should be hashed again. */
  isOutdated(hash: string): boolean {
    return parse(hash)?.iterations !== this.#iterations;
  }

  get #nobodys(): Hash {
    const salt = new Uint8Array(SALT_BYTES);
    return { iterations: this.#iterations, salt, digest: new Uint8Array(DIGEST_BYTES) };
  }

  #derive(password: string, salt: Uint8Array, iterations: number): Promise<Uint8Array> {
    const bytes = utf8(password);
    if (bytes.length > limits.authPasswordBytesMax) throw EtcdError.of('passwordTooLong');
    return this.#slots.run(async () => {
      const key = await crypto.subtle.importKey('raw', bytes, 'PBKDF2', false, ['deriveBits']);
      const bits = await crypto.subtle.deriveBits(
        { name: 'PBKDF2', hash: 'SHA-256', salt, iterations },
        key,
        8 * DIGEST_BYTES,
      );
      return new Uint8Array(bits);
    });
  }
}

/** Whether a hash that a client brings along can be checked here. */
export function isPasswordHash(hash: string): boolean {
  return parse(hash) !== null;
}

function parse(hash: string): Hash | null {
  const match = FORMAT.exec(hash);
  if (match === null) return null;
  const [, count = '', salt = '', digest = ''] = match;
  const iterations = Number(count);
  if (iterations < ITERATIONS_MIN || iterations > ITERATIONS) return null;
  return { iterations, salt: fromBase64(salt), digest: fromBase64(digest) };
}

/** Without padding, as the format has it. */
function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll('=', '');
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
