import { EtcdError } from '../../api/error.ts';
import { isPeerUrl, nameInUrl } from '../../api/peer_url.ts';
import type { DiscoveryRequest, DiscoveryTarget } from '../../api/v2/call.ts';
import { V2Error } from '../../api/v2/error.ts';
import { isRefusal, type KeysRequest } from '../../api/v2/keys_request.ts';
import { limits } from '../../config.ts';
import { utf8 } from '../../lib/bytes.ts';
import type { V2Keys, V2Read } from './keys.ts';
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
 * under its id. Strangers use it, and an entry of the log costs something whether it changes
 * anything or not: what is written is checked, written once and never deleted, and what would
 * change nothing is refused before it is proposed. (Those that come at the same moment may exceed
 * a bound by as many as they are.)
 */
export class V2Discovery {
  readonly #keys: Pick<V2Keys, 'change' | 'get' | 'serve'>;

  constructor(keys: Pick<V2Keys, 'change' | 'get' | 'serve'>) {
    this.#keys = keys;
  }

  /** @throws EtcdError */
  async serve({ keys, target, ttlSeconds }: DiscoveryRequest): Promise<V2Answer> {
    if (isRefusal(keys)) throw new V2Error(keys.errorCode, keys.cause, 0);
    const { method, path, value, recursive, sorted, quorum } = keys;
    if (target.part === 'member') checkMemberId(path);
    const asked = { ...PLAIN, method, path };
    if (method !== 'PUT') {
      return this.#keys.serve({ ...asked, recursive, sorted, quorum }, DISCOVERY_USER);
    }
    if (target.part === 'size') await this.#admitToken(keys, target, ttlSeconds);
    else await this.#admitMember(keys, target);
    return this.#keys.serve({ ...asked, value, prevExist: false }, DISCOVERY_USER);
  }

  /** A token begins with its directory, which takes all that is in it along when it ends. */
  async #admitToken(
    { value, path }: KeysRequest,
    { token }: DiscoveryTarget,
    ttlSeconds: number,
  ): Promise<void> {
    if (!isSize(value)) throw new V2Error(403, `the size is from 1 to ${limits.foundersMax}`, 0);
    const known = await this.#find(path);
    if (known !== null) throw new V2Error(EXISTS, path, known.etcdIndex);
    const tokens = (await this.#find(DIRECTORY))?.event.node.nodes ?? [];
    if (tokens.length >= limits.discoveryTokensMax) throw EtcdError.of('tooManyRequests');
    const directory = { ...PLAIN, path: `${DIRECTORY}/${token}`, dir: true, ttlSeconds };
    try {
      await this.#keys.change({ ...directory, method: 'PUT', prevExist: false }, DISCOVERY_USER);
    } catch (error) {
      // An earlier attempt came as far as this: its size is still to be written.
      if (!(error instanceof V2Error && error.errorCode === EXISTS)) throw error;
    }
  }

  /** Only who asks in time: the first ones make up the cluster, and hardly more are recorded. */
  async #admitMember({ value, path }: KeysRequest, { token }: DiscoveryTarget): Promise<void> {
    if (!isRegistration(value)) {
      throw new V2Error(209, 'the value is not like name=http://10.0.0.1:2380', 0);
    }
    const directory = `${DIRECTORY}/${token}`;
    const { event: size } = await this.#get(`${directory}/_config/size`);
    const { event, etcdIndex } = await this.#get(directory);
    const { nodes } = event.node;
    if (nodes.some(({ key }) => key.endsWith(path))) throw new V2Error(EXISTS, path, etcdIndex);
    const places = Number(size.node.value) + limits.discoverySpareEntries;
    if (nodes.length >= places) throw new V2Error(103, path, etcdIndex);
  }

  #get(path: string): Promise<V2Read> {
    // Another member may have made the token a moment ago.
    return this.#keys.get({ ...PLAIN, path, quorum: true }, DISCOVERY_USER);
  }

  /** The same; null: it is not there. */
  async #find(path: string): Promise<V2Read | null> {
    try {
      return await this.#get(path);
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
