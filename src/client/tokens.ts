import type { CallContext, Channel } from './channel.ts';
import { EtcdError, isAuthOff } from './error.ts';
import type { AuthOptions } from './options.ts';

/** The token of a user: given, or had for the password when it is first needed, and again. */
export class Tokens {
  readonly #auth: AuthOptions | null;
  /** undefined: not asked for yet. null: nobody's. */
  #token: string | null | undefined;
  #asking: Promise<string | null> | null = null;

  constructor(auth: AuthOptions | null) {
    this.#auth = auth;
    this.#token = auth === null ? null : auth.token;
  }

  /** undefined: it has to be asked for, see {@link ask}. */
  get current(): string | null | undefined {
    return this.#token;
  }

  /** One question for all who want it. @throws EtcdError */
  ask(channel: Channel, context: CallContext): Promise<string | null> {
    this.#asking ??= this.#ask(channel, context).finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  /** It is not good any more. @returns whether another one can be had */
  forget(token: string | null): boolean {
    if (this.#auth?.username === undefined) return false;
    if (this.#token === token) this.#token = undefined;
    return true;
  }

  async #ask(channel: Channel, context: CallContext): Promise<string | null> {
    const { username: name = '', password = '' } = this.#auth ?? {};
    try {
      // What ends one caller's interest must not end the others'.
      const own = { ...context, token: null, signal: null };
      const { token } = await channel.unary('/v3/auth/authenticate', { name, password }, own);
      this.#token = token;
    } catch (error) {
      if (!(error instanceof EtcdError && isAuthOff(error))) throw error;
      this.#token = null;
    }
    return this.#token;
  }
}
