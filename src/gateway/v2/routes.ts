import type { MemberRpc } from '../../api/call.ts';
import { EtcdError } from '../../api/error.ts';
import { encodeStreamCall } from '../../api/stream-call.ts';
import type { KeysWait, V2Call } from '../../api/v2/call.ts';
import { encodeV2Error, V2Error } from '../../api/v2/error.ts';
import { isRefusal, type KeysMethod, parseKeysRequest } from '../../api/v2/keys_request.ts';
import { textOf } from '../../lib/bytes.ts';
import { textError } from '../answer.ts';
import { type BodyBounds, readBuffer } from '../body.ts';
import { CORS_HEADERS } from '../cors.ts';
import { type Destination, deliver, destinationOf } from '../delivery.ts';
import { cleanPath, requestQuery } from '../path.ts';
import type { Site } from '../site.ts';
import { askForStream } from '../streams.ts';
import { unrouted } from '../unrouted.ts';
import { basicCredentials } from './credentials.ts';

const KEYS = ['HEAD', 'GET', 'PUT', 'POST', 'DELETE'] as const;
const FORM = 'application/x-www-form-urlencoded';

/** Where etcd's v2 API is, beside keys: the methods of each path, in the order of Allow. */
const FIXED: Readonly<Record<string, readonly [methods: readonly string[], call: V2Call]>> = {
  '/v2/machines': [['GET', 'HEAD'], { kind: 'machines' }],
  '/v2/stats/self': [['GET'], { kind: 'stats', of: 'self' }],
  '/v2/stats/leader': [['GET'], { kind: 'stats', of: 'leader' }],
  '/v2/stats/store': [['GET'], { kind: 'stats', of: 'store' }],
};

const INDEX_HEADERS = ['X-Etcd-Cluster-Id', 'X-Etcd-Index', 'X-Raft-Index', 'X-Raft-Term'];

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
  const hasForm = (method === 'PUT' || method === 'POST') && contentType(request) === FORM;
  const body = hasForm ? await readForm(request, bounds) : '';
  const keys = parseKeysRequest(method, path, requestQuery(request), body);
  if (isRefusal(keys) || !keys.wait || keys.quorum) {
    const isRead = isRefusal(keys) || method === 'GET' || method === 'HEAD';
    return deliverCall(request, site, { kind: 'keys', request: keys }, isRead);
  }
  return openWait(request, site, { request: keys, credentials: basicCredentials(request.headers) });
}

/** As bytes: the runtime doubts aloud whether a form is text. */
async function readForm(request: Request, bounds: BodyBounds): Promise<string> {
  return textOf(new Uint8Array(await readBuffer(request, bounds)));
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
  const body = method === 'PUT' || method === 'POST' ? await readForm(request, bounds) : '';
  const header = request.headers.get('content-type') ?? '';
  const call: V2Call = { kind, request: { method, rest, contentType: header, body } };
  return deliverCall(request, site, call, method === 'GET');
}

async function deliverCall(
  request: Request,
  site: Site,
  call: V2Call,
  isRead: boolean,
): Promise<Response> {
  const credentials = basicCredentials(request.headers);
  const ask = (member: MemberRpc) => member.v2(call, credentials);
  const destination = placeOf(request, isRead);
  return guarded(async () => {
    const { status, headers, body } = await deliver(site.cluster, destination, ask);
    const content = status === 204 ? null : body;
    return new Response(content, { status, headers: { ...CORS_HEADERS, ...headers } });
  });
}

async function openWait(request: Request, site: Site, wait: KeysWait): Promise<Response> {
  const init = { method: 'POST', body: JSON.stringify(wait), signal: request.signal };
  const context = { token: null, timeoutMs: null, requireLeader: false };
  const ask = (member: MemberRpc) =>
    askForStream(member, encodeStreamCall({ delivery: 'keys', path: '/v2/keys', context }, init));
  return guarded(async () => {
    const { response } = await deliver(site.cluster, placeOf(request, true), ask);
    const headers = new Headers(CORS_HEADERS);
    for (const name of INDEX_HEADERS) {
      const value = response.headers.get(name);
      if (value !== null) headers.set(name, value);
    }
    headers.set('Content-Type', 'application/json');
    headers.set('Cache-Control', 'no-store, no-transform');
    headers.set('X-Accel-Buffering', 'no');
    return new Response(response.body, { status: response.status, headers });
  });
}

/**
 * Reads go where writes go: a client of v2 talks to one member, and finds there what it wrote
 * without asking for a quorum.
 */
function placeOf(request: Request, isRead: boolean): Destination {
  return { ...destinationOf(request, isRead), continent: undefined };
}

/** What never reached a member, in the form of v2. */
async function guarded(answer: () => Promise<Response>): Promise<Response> {
  try {
    return await answer();
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    const told = new V2Error(300, error.message, 0);
    const headers = { 'Content-Type': 'application/json', 'X-Etcd-Index': '0' };
    const body = encodeV2Error(told);
    return new Response(body, { status: told.status, headers: { ...CORS_HEADERS, ...headers } });
  }
}

/** What is below a prefix, without the slash between; null: the path is another one. */
function below(path: string, prefix: string): string | null {
  if (path === prefix) return '';
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length + 1) : null;
}

function allowed({ method }: Request, methods: readonly string[]): Response | null {
  if (methods.includes(method)) return null;
  return textError(405, 'Method Not Allowed', { Allow: methods.join(',') });
}

function contentType(request: Request): string {
  return (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}
