import { messageOf, StartError } from './error.ts';

/** A member, as far as joining needs to know it. */
export interface ListedMember {
  readonly id: string;
  /** Empty while it has not started. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
}

const timeoutMs = 15_000;

/** The calls with which a cluster gets a member more. */
export class ClusterApi {
  readonly #url: string;
  readonly #user: string | null;
  #token: string | null = null;

  /** @param user name and password, where authentication is on */
  constructor(url: string, user: string | null) {
    this.#url = url;
    this.#user = user;
  }

  /** As of now, not as of what that member has applied. */
  async members(): Promise<ListedMember[]> {
    return membersOf(await this.#call('cluster/member/list', { linearizable: true }));
  }

  /** @returns the members with the new one */
  async add(peerUrl: string, isLearner: boolean): Promise<ListedMember[]> {
    return membersOf(await this.#call('cluster/member/add', { peerURLs: [peerUrl], isLearner }));
  }

  async #call(path: string, body: object): Promise<unknown> {
    if (this.#user !== null && this.#token === null) this.#token = await this.#logIn(this.#user);
    return this.#post(path, body);
  }

  async #logIn(user: string): Promise<string> {
    const colon = user.indexOf(':');
    const body = { name: user.slice(0, colon), password: user.slice(colon + 1) };
    const token = fieldOf(await this.#post('auth/authenticate', body), 'token');
    return typeof token === 'string' ? token : '';
  }

  async #post(path: string, body: object): Promise<unknown> {
    const headers = this.#token === null ? {} : { authorization: this.#token };
    let response: Response;
    try {
      response = await fetch(`${this.#url}/v3/${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (error) {
      throw new StartError(`cannot reach ${this.#url}: ${causeOf(error)}`);
    }
    const answer: unknown = await response.json().catch(() => null);
    if (response.ok) return answer;
    const reason = fieldOf(answer, 'error') ?? `status ${response.status}`;
    throw new StartError(`${this.#url} refuses ${path}: ${String(reason)}`);
  }
}

function membersOf(answer: unknown): ListedMember[] {
  const members = fieldOf(answer, 'members');
  return (Array.isArray(members) ? members : []).map((member: unknown) => ({
    id: String(fieldOf(member, 'ID')),
    name: String(fieldOf(member, 'name') ?? ''),
    peerUrls: texts(fieldOf(member, 'peerURLs')),
    isLearner: fieldOf(member, 'isLearner') === true,
  }));
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

/** What Node hides behind "fetch failed". */
function causeOf(error: unknown): string {
  const { cause } = error instanceof Error ? error : {};
  return cause instanceof Error && cause.message !== '' ? cause.message : messageOf(error);
}
