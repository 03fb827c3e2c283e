import { methodOf } from '../api/methods.ts';
import { redirectAnswer, textError } from './answer.ts';
import { cleanPath, requestQuery } from './path.ts';
import { PLAIN_PATHS } from './plain.ts';

/**
 * The answer to a request that no route takes, rule by rule as etcd's muxes apply them: untidy
 * paths are sent to the tidy one, then everything under /v3/ is the gateway's to refuse.
 */
export function unrouted(request: Request, path: string): Response {
  const clean = path === '/v3' ? '/v3/' : cleanPath(path);
  if (clean !== path) {
    return redirectAnswer(location(clean, request), request.method);
  }
  if (methodOf(path) !== undefined) return textError(405, 'Method Not Allowed');
  if (path.startsWith('/v3/')) return textError(404, 'Not Found');
  if (PLAIN_PATHS.has(path)) return textError(405, 'Method Not Allowed', { Allow: 'GET' });
  if (path.startsWith('/v2/keys/')) return textError(404, '404 page not found', NO_V2_STORE);
  return textError(404, '404 page not found');
}

/**
 * Every answer of etcd's v2 keys API carries the index of its store: where there is no such store,
 * zero.
 */
const NO_V2_STORE = { 'X-Etcd-Index': '0' };

function location(path: string, request: Request): string {
  const query = requestQuery(request);
  return query === '' ? encodeURI(path) : `${encodeURI(path)}?${query}`;
}
