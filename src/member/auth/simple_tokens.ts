import { limits } from '../../config.ts';
import { utf8 } from '../../lib/bytes.ts';
import { Cache } from '../../state/cache.ts';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const LENGTH = 16;
const FORMAT = /^([A-Za-z]{16})\.(\d{1,16})$/;

/** What a token stands for in the state: a row, and the entry that made it. */
export interface TokenName {
  readonly digest: Uint8Array;
  readonly index: number;
}

/**
 * etcd's simple tokens: sixteen random letters, a dot, and the index of the entry that gave the
 * token out. The state knows the SHA-256 of the letters, so that neither rows nor log nor a
 * snapshot are good for logging in.
 */
export class SimpleTokens {
  /** Digests of tokens that were shown here lately: the way to the state without a promise. */
  readonly #known = new Cache<TokenName>(limits.authTokenCacheMax, Number.POSITIVE_INFINITY);

  /** The letters of a new token. */
  draw(): string {
    let letters = '';
    while (letters.length < LENGTH) {
      for (const byte of crypto.getRandomValues(new Uint8Array(LENGTH))) {
        // Above the last multiple of 52 some letters would be likelier than others.
        if (byte >= 208 || letters.length === LENGTH) continue;
        letters += LETTERS[byte % 52];
      }
    }
    return letters;
  }

  async digest(letters: string): Promise<Uint8Array> {
    return new Uint8Array(await crypto.subtle.digest('SHA-256', utf8(letters)));
  }

  /** What this member has looked at before. */
  known(token: string): TokenName | undefined {
    return this.#known.get(token);
  }

  /** Null for what cannot be a token. */
  async nameOf(token: string): Promise<TokenName | null> {
    const [, letters, index] = FORMAT.exec(token) ?? [];
    if (letters === undefined) return null;
    return { digest: await this.digest(letters), index: Number(index) };
  }

  /** Remembers a token that has turned out to be good. */
  remember(token: string, name: TokenName): void {
    this.#known.set(token, name, 0);
  }
}
