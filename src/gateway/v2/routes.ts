import type { V2Call } from '../../api/v2/call.ts';
import { isRefusal, type KeysMethod, parseKeysRequest } from '../../api/v2/keys_request.ts';
import { textError } from '../answer.ts';
import type { BodyBounds } from '../body.ts';
import { cleanPath, requestQuery } from '../path.ts';
import type { Site } from '../site.ts';
import { unrouted } from '../unrouted.ts';
import { allowed, deliverCall, keysForm, openWait, readBody } from './call_member.ts';
import { basicCredentials } from './credentials.ts';
import { answerDiscovery, discoveryTarget } from './discovery.ts';

const KEYS = ['HEAD', 'GET', 'PUT', 'POST', 'DELETE'] as const;

/** Where etcd's v2 API is, beside keys: the methods of each path, in the order of Allow. */
const FIXED: Readonly<Record<string, readonly [methods: readonly string[], call: V2Call]>> = {
  '/v2/machines': [['GET', 'HEAD'], { kind: 'machines' }],
  '/v2/stats/self': [['GET'], { kind: 'stats', of: 'self' }],
  '/v2/stats/leader': [['GET'], { kind: 'stats', of: 'leader' }],
  '/v2/stats/store': [['GET'], { kind: 'stats', of: 'store' }],
};

const MEMBERS = ['GET', 'POST', 'DELETE', 'PUT'];
const ACCOUNTS = ['GET', 'PUT', 'DELETE'];

/** A request under /v2/, as etcd's client port answers it with --enable-v2. */
export async function answerV2(
  request: Request,
  path: string,
  site: Site,
  bounds: BodyBounds,
): Promise<Response> {
  if (cleanPath(path) !== path) return unrouted(request, path);
  const { discovery, v2 } = site.settings;
  const target = discovery === null ? null : discoveryTarget(path);
  if (target !== null) return answerDiscovery(request, target, site, bounds);
  // Where the v2 API is not enabled, it is not there.
  if (!v2) return unrouted(request, path);
  const keys = below(path, '/v2/keys');
  if (keys !== null) return answerKeys(request, keys, site, bounds);
  const fixed = FIXED[path];
  if (fixed !== undefined) {
    const [methods, call] = fixed;
    return allowed(request, methods) ?? deliverCall(request, site, call, true);
  }
  const members = below(path, '/v2/members');
  if (members !== null) return answerAdmin(request, 'members', members, MEMBERS, site, bounds);
  const accounts = below(path, '/v2/auth');
  if (accounts === null || !/^(enable$|(users|roles)(\/|$))/.test(accounts)) {
    return textError(404, '404 page not found');
  }
  const isList = /^(users|roles)\/?$/.test(accounts);
  return answerAdmin(request, 'auth', accounts, isList ? ['GET'] : ACCOUNTS, site, bounds);
}

async function answerKeys(
  request: Request,
  path: string,
  site: Site,
  bounds: BodyBounds,
): Promise<Response> {
  const refused = allowed(request, KEYS);
  if (refused !== null) return refused;
  const method = request.method as KeysMethod;
  const body = await keysForm(request, bounds);
  const keys = parseKeysRequest(method, path, requestQuery(request), body);
  if (isRefusal(keys) || !keys.wait || keys.quorum) {
    const isRead = isRefusal(keys) || method === 'GET' || method === 'HEAD';
    return deliverCall(request, site, { kind: 'keys', request: keys }, isRead);
  }
  return openWait(request, site, { request: keys, credentials: basicCredentials(request.headers) });
}

async function answerAdmin(
  request: Request,
  kind: 'members' | 'auth',
  rest: string,
  methods: readonly string[],
  site: Site,
  bounds: BodyBounds,
): Promise<Response> {
  const refused = allowed(request, methods);
  if (refused !== null) return refused;
  const { method } = request;
  const body = method === 'PUT' || method === 'POST' ? await readBody(request, bounds) : '';
  const header = request.headers.get('content-type') ?? '';
  const call: V2Call = { kind, request: { method, rest, contentType: header, body } };
  return deliverCall(request, site, call, method === 'GET');
}

/** What is below a prefix, without the slash between; null: the path is another one. */
function below(path: string, prefix: string): string | null {
  if (path === prefix) return '';
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length + 1) : null;
}
