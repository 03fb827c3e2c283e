import { isPeerUrl } from '../../api/peer_url.ts';
import { limits } from '../../config.ts';
import type { Peer } from '../cluster_settings.ts';
import { SettingsError } from '../variables.ts';
import {
  type DiscoveryClient,
  RegistryError,
  type RegistryNode,
  Unreachable,
} from './discovery_client.ts';

export interface DiscoveryHost {
  sleep(ms: number): Promise<void>;
  /** Why the member does not take part yet, for whoever asks. */
  waiting(reason: string): void;
  /** Whether it has begun to register, maybe in an earlier life. */
  hasBegun(): boolean;
  /** Resolves when it is durable that it has. */
  begin(): Promise<void>;
}

/** What a registry holds. */
interface Registry {
  readonly size: number;
  /** Founders in the order in which they came, no more than `size`. */
  readonly founders: readonly RegistryNode[];
  readonly index: number;
}

const NOT_FOUND = 100;
const EXISTS = 105;
const CONFIG = '_config';

/**
 * Finds the founders of a cluster by a discovery service, in etcd's order of requests: look whether
 * there is a place, take it, look again, wait for the others. Whoever came first is in.
 * @param id what the member registers under: its member id
 * @throws SettingsError in etcd's words, when waiting mends nothing
 */
export async function foundersByDiscovery(
  client: DiscoveryClient,
  self: Peer,
  id: string,
  host: DiscoveryHost,
): Promise<readonly Peer[]> {
  const seeker = new Seeker(client, self, id, host);
  await seeker.look();
  await seeker.register();
  return seeker.gather();
}

class Seeker {
  readonly #client: DiscoveryClient;
  readonly #value: string;
  readonly #id: string;
  readonly #host: DiscoveryHost;

  constructor(client: DiscoveryClient, self: Peer, id: string, host: DiscoveryHost) {
    this.#client = client;
    this.#value = `${self.name}=${self.url}`;
    this.#id = id;
    this.#host = host;
  }

  /** @throws SettingsError when all places are taken by others */
  look(): Promise<Registry> {
    return this.#insist(async () => {
      const size = sizeOf(await this.#get(`/${CONFIG}/size`));
      const { node, index } = await this.#get('');
      const all = node.nodes.filter(({ name }) => name !== CONFIG);
      const founders = all.sort((a, b) => a.createdIndex - b.createdIndex).slice(0, size);
      const isIn = founders.some(({ name }) => name === this.#id);
      if (founders.length === size && !isIn) throw new SettingsError('discovery: cluster is full');
      return { size, founders, index };
    });
  }

  /**
   * Takes a place. What is there under the member's id is its own if it began to register before:
   * an answer was lost, or the process was. Otherwise it is another member's, or this one has lost
   * its data, which is refused as etcd does.
   */
  async register(): Promise<void> {
    const path = `/${this.#id}`;
    let mayBeThere = this.#host.hasBegun();
    await this.#host.begin();
    const createdIndex = await this.#insist(async () => {
      try {
        const { node } = await this.#client.create(path, this.#value);
        return node.createdIndex;
      } catch (error) {
        if (error instanceof Unreachable) mayBeThere = true;
        if (!(error instanceof RegistryError && error.errorCode === EXISTS)) throw error;
        const { node } = await this.#get(path);
        if (mayBeThere && node.value === this.#value) return node.createdIndex;
        throw new SettingsError('discovery: found duplicate id');
      }
    });
    // As etcd: it is there when it is in the service's history.
    await this.#client.wait(path, false, createdIndex);
  }

  /** Waits until all places are taken. */
  async gather(): Promise<readonly Peer[]> {
    let { size, founders, index } = await this.look();
    while (founders.length < size) {
      this.#host.waiting(
        `waiting for ${size - founders.length} more to register with the discovery service`,
      );
      const event = await this.#client.wait('', true, index + 1);
      if (event === null || event.action !== 'create') {
        // Nothing came in time, or something that is no founder, such as the end of the token.
        await this.#host.sleep(limits.discoveryRetryMs);
        ({ size, founders, index } = await this.look());
      } else {
        founders = [...founders, event.node];
        index = event.node.modifiedIndex;
      }
    }
    return peersOf(founders);
  }

  async #get(path: string) {
    try {
      return await this.#client.get(path);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      if (error.errorCode === NOT_FOUND) throw new SettingsError('discovery: size key not found');
      throw new SettingsError(`discovery: ${error.message}`);
    }
  }

  /** Asks again, more and more rarely, while there is no answer. */
  async #insist<T>(ask: () => Promise<T>): Promise<T> {
    let ms: number = limits.discoveryRetryMs;
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        this.#host.waiting(`waiting for the discovery service: ${error.message}`);
        await this.#host.sleep(ms);
        ms = Math.min(2 * ms, limits.discoveryRetryMsMax);
      }
    }
  }
}

function sizeOf({ node: { value } }: { readonly node: RegistryNode }): number {
  const size = Number(value);
  if (/^\d+$/.test(value) && size >= 1 && size <= limits.foundersMax) return size;
  throw new SettingsError('discovery: size key is bad');
}

/** @throws SettingsError when they cannot be the members of one cluster of ours */
function peersOf(founders: readonly RegistryNode[]): readonly Peer[] {
  const peers = founders.map(({ value }) => {
    const [, name, url] = /^([^=\s,]+)=(\S+)$/.exec(value) ?? [];
    // Several URLs of one member, as etcd's have, would be another id than this member derives.
    if (name === undefined || url === undefined || !isPeerUrl(url)) {
      throw new SettingsError('discovery: peer URL is invalid');
    }
    return { name, url };
  });
  if (new Set(peers.map(({ name }) => name)).size < peers.length) {
    throw new SettingsError('discovery: found duplicate name');
  }
  if (new Set(peers.map(({ url }) => url)).size < peers.length) {
    throw new SettingsError('discovery: found duplicate URL');
  }
  return peers;
}
