/**
 * The path that a request is routed by: decoded, and with the prefix of etcd 3.3 replaced. It is
 * cut out of the URL's text, because parsing the URL would tidy the path before we can see it.
 */
export function requestPath(request: Request): string {
  const url = request.url;
  const start = url.indexOf('/', url.indexOf('://') + 3);
  if (start < 0) return '/';
  const end = url.slice(start).search(/[?#]/);
  const raw = end < 0 ? url.slice(start) : url.slice(start, start + end);
  const path = raw.includes('%') ? decoded(raw) : raw;
  return path.startsWith('/v3beta/') ? `/v3${path.slice('/v3beta'.length)}` : path;
}

/** The query without "?", or nothing. */
export function requestQuery(request: Request): string {
  const start = request.url.indexOf('?');
  return start < 0 ? '' : request.url.slice(start + 1);
}

/** What Go's ServeMux makes of a path: no empty, "." or ".." segments; a slash at the end stays. */
export function cleanPath(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  const clean = `/${kept.join('/')}`;
  return path.endsWith('/') && clean !== '/' ? `${clean}/` : clean;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // A stray percent sign matches no route.
  }
}
