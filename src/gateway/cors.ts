/** etcd puts these three on every answer of its client port: by default every page may read it. */
export const CORS_HEADERS = {
  'Access-Control-Allow-Headers': 'accept, content-type, authorization',
  'Access-Control-Allow-Methods': 'POST, GET, OPTIONS, PUT, DELETE',
  'Access-Control-Allow-Origin': '*',
} as const;

/**
 * Narrows an answer to the origins of ETCD_CORS ("https://a.example:443,…"): one that is listed is
 * named, any other gets none of the three headers. As in etcd there is no Vary.
 */
export function restrictOrigins(response: Response, origin: string | null, allowed: string): void {
  if (allowed === '*') return;
  const items = allowed.split(',').map((item) => item.trim());
  if (items.includes('*')) return;
  if (origin !== null && isListed(origin, items)) {
    response.headers.set('Access-Control-Allow-Origin', origin);
    return;
  }
  for (const name of Object.keys(CORS_HEADERS)) response.headers.delete(name);
}

/**
 * Whether a page's cookies may speak for its user: a browser sends them whoever's page it is. Only
 * pages of this origin, or of one that ETCD_CORS names, act for their user; "*" names nobody.
 */
export function mayUseCookie(request: Request, allowed: string | undefined): boolean {
  const origin = request.headers.get('origin');
  if (origin === null || origin === new URL(request.url).origin) return true;
  const items = (allowed ?? '').split(',').map((item) => item.trim());
  return isListed(origin, items);
}

/** etcd wants a port in every item of the list; browsers leave out that of the scheme. */
function isListed(origin: string, items: readonly string[]): boolean {
  return items.includes(origin) || items.some((item) => originOf(item) === origin);
}

function originOf(item: string): string | null {
  try {
    return new URL(item).origin;
  } catch {
    return null;
  }
}
