import { EtcdError } from '../../api/error.ts';
import type { BasicCredentials } from '../../api/v2/call.ts';
import { insufficientCredentials } from '../../api/v2/denied.ts';
import { limits } from '../../config.ts';
import { toHex, utf8 } from '../../lib/bytes.ts';
import { Cache } from '../../state/cache.ts';
import { V2Accounts } from '../../state/v2/accounts.ts';
import type { V2Host } from './host.ts';

/** Who asks, by HTTP Basic and v2's own users. */
export class V2Logins {
  readonly #host: Pick<V2Host, 'machine' | 'settings' | 'authentication'>;
  /** Pairs of a password and a hash that fit, by their digest. */
  readonly #right = new Cache<true>(limits.v2LoginCacheMax, Number.POSITIVE_INFINITY);

  constructor(host: Pick<V2Host, 'machine' | 'settings' | 'authentication'>) {
    this.#host = host;
  }

  get accounts(): V2Accounts {
    return new V2Accounts(this.#host.machine.v2);
  }

  /**
   * The name of a user, or nothing for a guest. In a deployment that does not serve everyone there
   * are no guests. @throws EtcdError
   */
  async userOf(credentials: BasicCredentials): Promise<string> {
    const { open } = this.#host.settings.auth;
    if (!this.accounts.enabled) {
      if (!open) throw EtcdError.of('closed');
      return '';
    }
    if (credentials === null && open) return '';
    if (credentials === null || credentials === 'malformed') throw insufficientCredentials();
    const user = this.accounts.user(credentials.user);
    const hash = user?.passwordHash ?? null;
    if (!(await this.#fits(credentials.password, hash))) throw insufficientCredentials();
    return credentials.user;
  }

  async #fits(password: string, hash: string | null): Promise<boolean> {
    // Nobody's: it is not worth the work.
    if (utf8(password).length > limits.authPasswordBytesMax) return false;
    // A fast digest, so it stays in memory, and beside the salt that is in the hash.
    const pair = utf8(`${hash}\n${password}`);
    const name = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', pair)));
    if (this.#right.get(name) === true) return true;
    const fits = await this.#host.authentication.passwords.matches(password, hash);
    if (fits) this.#right.set(name, true, 0);
    return fits;
  }
}
