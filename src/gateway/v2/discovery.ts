import type { DiscoveryTarget } from '../../api/v2/call.ts';
import { isRefusal, type KeysMethod, parseKeysRequest } from '../../api/v2/keys_request.ts';
import { defaults } from '../../config.ts';
import { must } from '../../lib/assert.ts';
import { toHex } from '../../lib/bytes.ts';
import { bearerAccess } from '../access.ts';
import { textError } from '../answer.ts';
import type { BodyBounds } from '../body.ts';
import { CORS_HEADERS } from '../cors.ts';
import type { DiscoverySettings } from '../discovery_settings.ts';
import { cleanPath, requestQuery } from '../path.ts';
import type { Site } from '../site.ts';
import { allowed, deliverCall, keysForm, openWait } from './call_member.ts';

/** Where in the keys of v2 the tokens are: they can be used below /v2/keys too. */
const DIRECTORY = '/discovery';

type Target = 'new' | (DiscoveryTarget & { readonly path: string });

const METHODS = {
  directory: ['GET', 'HEAD'],
  size: ['GET', 'HEAD', 'PUT'],
  member: ['GET', 'HEAD', 'PUT'],
} as const;

/**
 * What of the discovery service a path names: `/new`, or the directory of a token and what is in
 * it, at the root as the public service had it or among the keys. Null: nothing.
 */
export function discoveryTarget(path: string): Target | null {
  if (path === '/new') return 'new';
  const [, token, rest = ''] =
    /^(?:\/v2\/keys\/discovery)?\/([0-9a-f]{32})(?:\/(.*))?$/.exec(path) ?? [];
  if (token === undefined || cleanPath(path) !== path) return null;
  const part = rest === '' ? 'directory' : rest === '_config/size' ? 'size' : 'member';
  return { token, part, path: `${DIRECTORY}/${token}/${rest}` };
}

/**
 * The discovery service, as etcd's members and the public service's users know it. A token is a
 * secret of its own: whoever knows it may read what is under it and register there, logged in or
 * not. Who may make tokens is the operator's to say.
 */
export async function answerDiscovery(
  request: Request,
  target: Target,
  site: Site,
  bounds: BodyBounds,
): Promise<Response> {
  const settings = must(site.settings.discovery, 'the service is on');
  if (target === 'new') return answerNew(request, settings, site);
  const { path, part, token } = target;
  const refused = allowed(request, METHODS[part]);
  if (refused !== null) return refused;
  const isMaking = part === 'size' && request.method === 'PUT';
  const denied = isMaking ? deniedAccess(request, settings) : null;
  if (denied !== null) return denied;
  const method = request.method as KeysMethod;
  const body = await keysForm(request, bounds);
  const keys = parseKeysRequest(method, path, requestQuery(request), body);
  if (!isRefusal(keys) && keys.wait && !keys.quorum) {
    return openWait(request, site, { request: keys, credentials: null, byToken: true });
  }
  const isRead = isRefusal(keys) || method === 'GET' || method === 'HEAD';
  const asked = { keys, target: { token, part }, ttlSeconds: settings.ttlSeconds };
  return deliverCall(request, site, { kind: 'discovery', request: asked }, isRead);
}

/** A token for a new cluster: its URL, as text. */
async function answerNew(
  request: Request,
  settings: DiscoverySettings,
  site: Site,
): Promise<Response> {
  const refused = allowed(request, ['GET', 'PUT']) ?? deniedAccess(request, settings);
  if (refused !== null) return refused;
  const url = new URL(request.url);
  const token = toHex(crypto.getRandomValues(new Uint8Array(16)));
  const size = url.searchParams.get('size') ?? String(defaults.discoverySize);
  const form = `value=${encodeURIComponent(size)}`;
  const keys = parseKeysRequest('PUT', `${DIRECTORY}/${token}/_config/size`, '', form);
  const asked = { keys, target: { token, part: 'size' as const }, ttlSeconds: settings.ttlSeconds };
  const made = await deliverCall(request, site, { kind: 'discovery', request: asked }, false);
  if (made.status !== 201) return failedNew(made);
  const headers = {
    ...CORS_HEADERS,
    'Content-Type': 'text/plain; charset=utf-8',
    'Cache-Control': 'no-store',
  };
  return new Response(`${settings.publicUrl ?? url.origin}/${token}`, { headers });
}

/** The public service's words, and why. */
async function failedNew(answer: Response): Promise<Response> {
  const { message, cause } = (await answer.json()) as { message?: string; cause?: string };
  const reason = [message, cause].filter(Boolean).join(': ');
  const status = answer.status === 400 ? 400 : 503;
  return textError(status, `unable to generate token: ${reason}`);
}

function deniedAccess({ headers }: Request, { secret }: DiscoverySettings): Response | null {
  if (secret === null || bearerAccess(headers, secret) === 'granted') return null;
  return textError(401, 'a secret is required to make a discovery token', {
    'WWW-Authenticate': 'Bearer',
  });
}
