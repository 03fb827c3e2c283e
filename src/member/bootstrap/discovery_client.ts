import { limits } from '../../config.ts';
import { messageOf } from '../../lib/error.ts';
import { SettingsError } from '../variables.ts';
import { type Ask, boundedText, fieldOf } from './answer.ts';

/** A node of the registry. */
export interface RegistryNode {
  /** The last part of its path. */
  readonly name: string;
  readonly value: string;
  readonly createdIndex: number;
  readonly modifiedIndex: number;
  readonly nodes: readonly RegistryNode[];
}

export interface RegistryAnswer {
  readonly action: string;
  readonly node: RegistryNode;
  /** The store's index when it answered. */
  readonly index: number;
}

/** The service says no, in a number of etcd's v2 API. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly errorCode: number;

  constructor(errorCode: number, text: string) {
    super(`${errorCode}: ${text}`);
    this.errorCode = errorCode;
  }
}

/** The service did not answer, or could not: it is asked again. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** The service began anew from a snapshot, or so much has happened that the event is forgotten. */
const MISSED: readonly number[] = [400, 401];

/** The directory of one token, asked as etcd 3.4 asks: a discovery service may be any etcd's. */
export class DiscoveryClient {
  readonly #url: string;
  readonly #ask: Ask;
  readonly #headers: Record<string, string>;

  constructor(url: string, ask: Ask) {
    const { username, password } = new URL(url);
    const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    this.#headers = login === ':' ? {} : { authorization: `Basic ${btoa(login)}` };
    this.#url = url.replace(/\/\/[^/@]*@/, '//').replace(/\/+$/, '');
    this.#ask = ask;
  }

  get(path: string): Promise<RegistryAnswer> {
    return this.#request(`${path}?quorum=false&recursive=false&sorted=false`, {});
  }

  /** @throws RegistryError 105 when it is there */
  create(path: string, value: string): Promise<RegistryAnswer> {
    return this.#request(`${path}?prevExist=false`, {
      method: 'PUT',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `value=${encodeURIComponent(value)}`,
    });
  }

  /** The next event from an index on; null: there was none for a while. */
  async wait(path: string, recursive: boolean, index: number): Promise<RegistryAnswer | null> {
    const query = `recursive=${recursive}&wait=true&waitIndex=${index}`;
    const { discoveryWaitMs } = limits;
    try {
      return await this.#request(`${path}?${query}`, {}, discoveryWaitMs);
    } catch (error) {
      // Its time is up, or the connection ended with it: what came meanwhile is asked for.
      if (error instanceof Unreachable || error instanceof EmptyAnswer) return null;
      if (error instanceof RegistryError && MISSED.includes(error.errorCode)) return null;
      throw error;
    }
  }

  /** @throws RegistryError, Unreachable, SettingsError */
  async #request(
    path: string,
    init: RequestInit & { readonly headers?: Record<string, string> },
    timeoutMs: number = limits.discoveryTimeoutMs,
  ): Promise<RegistryAnswer> {
    let response: Response;
    let text: string;
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const headers = { ...this.#headers, ...init.headers };
      response = await this.#ask(`${this.#url}${path}`, { ...init, headers, signal });
      text = await boundedText(response);
    } catch (error) {
      throw new Unreachable(messageOf(error));
    }
    if (response.status >= 500) throw new Unreachable(`it answered HTTP ${response.status}`);
    if (text.trim() === '') throw new EmptyAnswer('an empty answer');
    return answerOf(response, text);
  }
}

class EmptyAnswer extends Error {}

function answerOf(response: Response, text: string): RegistryAnswer {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new SettingsError('discovery: bad discovery endpoint');
  }
  const code = fieldOf(body, 'errorCode');
  if (typeof code === 'number') {
    const cause = fieldOf(body, 'cause');
    throw new RegistryError(code, `${String(fieldOf(body, 'message'))} (${String(cause)})`);
  }
  const node = fieldOf(body, 'node');
  if (!response.ok || typeof node !== 'object' || node === null) {
    throw new SettingsError('discovery: bad discovery endpoint');
  }
  const index = Number(response.headers.get('x-etcd-index') ?? 0);
  return { action: String(fieldOf(body, 'action')), node: nodeOf(node), index };
}

function nodeOf(value: unknown): RegistryNode {
  const nodes = fieldOf(value, 'nodes');
  const key = String(fieldOf(value, 'key') ?? '');
  return {
    name: key.slice(key.lastIndexOf('/') + 1),
    value: String(fieldOf(value, 'value') ?? ''),
    createdIndex: Number(fieldOf(value, 'createdIndex') ?? 0),
    modifiedIndex: Number(fieldOf(value, 'modifiedIndex') ?? 0),
    nodes: (Array.isArray(nodes) ? nodes : []).map(nodeOf),
  };
}
