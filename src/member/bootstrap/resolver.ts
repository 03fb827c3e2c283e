import { limits } from '../../config.ts';
import { type Ask, boundedText, fieldOf } from './answer.ts';

export interface SrvRecord {
  readonly port: number;
  /** Without the dot at its end. */
  readonly target: string;
}

/** DNS, as far as looking for founders needs it. A name that is not there has no records. */
export interface Resolver {
  srv(name: string): Promise<readonly SrvRecord[]>;
  /** Of an address: itself. */
  addresses(host: string): Promise<readonly string[]>;
}

const TYPES = { A: 1, AAAA: 28, SRV: 33 } as const;
const NO_ERROR = 0;
const NO_SUCH_NAME = 3;

/**
 * DNS over HTTPS in JSON (`application/dns-json`), which is all that a Worker has. Locally the same
 * questions go to a service of the process around it, which asks the system's resolver.
 */
export class DnsOverHttps implements Resolver {
  readonly #url: string;
  readonly #ask: Ask;

  constructor(url: string, ask: Ask) {
    this.#url = url;
    this.#ask = ask;
  }

  async srv(name: string): Promise<readonly SrvRecord[]> {
    return (await this.#query(name, 'SRV')).flatMap((data) => {
      const [, port, target] = /^\d+ +\d+ +(\d+) +(\S+?)\.?$/.exec(data) ?? [];
      return port === undefined || target === undefined ? [] : [{ port: Number(port), target }];
    });
  }

  async addresses(host: string): Promise<readonly string[]> {
    if (/^[\d.]+$|:/.test(host)) return [host];
    return [...(await this.#query(host, 'A')), ...(await this.#query(host, 'AAAA'))];
  }

  /** @throws Error when the question is not answered */
  async #query(name: string, type: keyof typeof TYPES): Promise<readonly string[]> {
    const url = new URL(this.#url);
    url.searchParams.set('name', name);
    url.searchParams.set('type', type);
    const response = await this.#ask(url.href, {
      headers: { accept: 'application/dns-json' },
      signal: AbortSignal.timeout(limits.dnsTimeoutMs),
    });
    const text = await boundedText(response);
    if (!response.ok) throw new Error(`lookup ${name}: the resolver answered ${response.status}`);
    const answer: unknown = JSON.parse(text);
    const status = fieldOf(answer, 'Status');
    if (status === NO_SUCH_NAME) return [];
    if (status !== NO_ERROR) throw new Error(`lookup ${name}: DNS status ${String(status)}`);
    const records = fieldOf(answer, 'Answer');
    return (Array.isArray(records) ? records : [])
      .filter((record) => fieldOf(record, 'type') === TYPES[type])
      .map((record) => String(fieldOf(record, 'data')));
  }
}
