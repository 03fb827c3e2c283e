import { EtcdError } from '../../api/error.ts';
import { isPeerUrl, nameInUrl } from '../../api/peer_url.ts';
import type { DiscoveryRequest, DiscoveryTarget } from '../../api/v2/call.ts';
import { V2Error } from '../../api/v2/error.ts';
import { isRefusal, type KeysRequest } from '../../api/v2/keys_request.ts';
import { limits } from '../../config.ts';
import { utf8 } from '../../lib/bytes.ts';
import type { V2Keys } from './keys.ts';
import type { V2Answer } from './reply.ts';

/**
 * As whom the service reads and writes: the tokens are its own, and whoever comes with one is not
 * asked for a name. While v2's authentication is on there is such a user.
 */
export const DISCOVERY_USER = 'root';

const DIRECTORY = '/discovery';
const EXISTS = 105;
const NOT_FOUND = 100;

/** The question of a plain client. */
const PLAIN: KeysRequest = {
  method: 'GET',
  path: '/',
  value: '',
  dir: false,
  prevValue: '',
  prevIndex: 0,
  prevExist: null,
  ttlSeconds: null,
  refresh: false,
  recursive: false,
  sorted: false,
  quorum: false,
  wait: false,
  waitIndex: 0,
  stream: false,
  noValueOnSuccess: false,
};

/**
 * The discovery service over the keys of v2: `/discovery/<token>` is a directory with a time to
 * live, `_config/size` in it says how many members the cluster begins with, and each registers
 * under its id. What is written is written once, and checked: a service is used by strangers.
 *
 * Bounds are looked at before a write is proposed: those that come at the same moment may exceed
 * them by as many as they are.
 */
export class V2Discovery {
  readonly #keys: V2Keys;

  constructor(keys: V2Keys) {
    this.#keys = keys;
  }

  /** @throws EtcdError */
  async serve({ keys, target, ttlSeconds }: DiscoveryRequest): Promise<V2Answer> {
    if (isRefusal(keys)) throw new V2Error(keys.errorCode, keys.cause, 0);
    const { method, path, value, recursive, sorted, quorum } = keys;
    if (target.part === 'member') checkMemberId(path);
    const asked = { ...PLAIN, method, path };
    if (method === 'DELETE') return this.#keys.serve(asked, DISCOVERY_USER);
    if (method !== 'PUT') {
      return this.#keys.serve({ ...asked, recursive, sorted, quorum }, DISCOVERY_USER);
    }
    if (target.part === 'size') await this.#admitToken(keys, target, ttlSeconds);
    else await this.#admitMember(keys, target);
    return this.#keys.serve({ ...asked, value, prevExist: false }, DISCOVERY_USER);
  }

  /** A token begins with its directory, which takes all that is in it along when it ends. */
  async #admitToken(
    { value }: KeysRequest,
    { token }: DiscoveryTarget,
    ttlSeconds: number,
  ): Promise<void> {
    if (!isSize(value)) throw new V2Error(403, `the size is from 1 to ${limits.foundersMax}`, 0);
    const tokens = await this.#list(DIRECTORY);
    if (tokens !== null && tokens.length >= limits.discoveryTokensMax) {
      throw EtcdError.of('tooManyRequests');
    }
    const path = `${DIRECTORY}/${token}`;
    const made = {
      ...PLAIN,
      method: 'PUT',
      path,
      dir: true,
      ttlSeconds,
      prevExist: false,
    } as const;
    try {
      await this.#keys.change(made, DISCOVERY_USER);
    } catch (error) {
      // Whoever asked lost the answer, or its size could not be written: that goes on.
      if (!(error instanceof V2Error && error.errorCode === EXISTS)) throw error;
    }
  }

  /** Only who asks in time: the first ones make up the cluster, and nobody else is recorded. */
  async #admitMember({ value, path }: KeysRequest, { token }: DiscoveryTarget): Promise<void> {
    if (!isRegistration(value)) {
      throw new V2Error(209, 'the value is not like name=http://10.0.0.1:2380', 0);
    }
    const directory = `${DIRECTORY}/${token}`;
    const { event } = await this.#get(`${directory}/_config/size`);
    const places = Number(event.node.value) + limits.discoverySpareEntries;
    const registered = (await this.#list(directory)) ?? [];
    if (registered.length < places || registered.some(({ key }) => key.endsWith(path))) return;
    throw new V2Error(103, path, 0);
  }

  #get(path: string) {
    // Another member may have made the token a moment ago.
    return this.#keys.get({ ...PLAIN, path, quorum: true }, DISCOVERY_USER);
  }

  /** What is in a directory; null: it is not there. */
  async #list(path: string) {
    try {
      return (await this.#get(path)).event.node.nodes;
    } catch (error) {
      if (error instanceof V2Error && error.errorCode === NOT_FOUND) return null;
      throw error;
    }
  }
}

/** Ids are hexadecimal numbers of 64 bits, without zeros in front. */
function checkMemberId(path: string): void {
  const [id = ''] = path.split('/').slice(-1);
  if (/^[1-9a-f][0-9a-f]{0,15}$/.test(id) && path.split('/').length === 4) return;
  throw new V2Error(209, `"${path}" does not end in the id of a member`, 0);
}

function isSize(text: string): boolean {
  return /^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= limits.foundersMax;
}

/** `name=url`, once for each URL of the member. */
function isRegistration(text: string): boolean {
  if (utf8(text).length > limits.discoveryValueBytesMax) return false;
  const pairs = text.split(',').map((item) => /^([^=\s]+)=(\S+)$/.exec(item));
  const [name] = pairs.map((pair) => pair?.[1]);
  return pairs.every((pair) => pair?.[1] === name && isHttpUrl(pair?.[2] ?? ''));
}

/** An object's URL means nothing to whoever is elsewhere. */
function isHttpUrl(url: string): boolean {
  return isPeerUrl(url) && nameInUrl(url) === '';
}
