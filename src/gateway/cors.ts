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
  const origins = allowed.split(',').map((item) => item.trim());
  if (origins.includes('*')) return;
  if (origin !== null && origins.includes(origin)) {
    response.headers.set('Access-Control-Allow-Origin', origin);
    return;
  }
  for (const name of Object.keys(CORS_HEADERS)) response.headers.delete(name);
}
