/**
 * Where a member is reached by its peers. `do://m4` is an object of the same deployment, named by
 * the URL, and `do://m4?location=weur` says where in the world it is to be made; everything else
 * is another deployment.
 */
const OBJECT_URL = /^do:\/\/([A-Za-z0-9][A-Za-z0-9._-]{0,62})(?:\?location=([a-z]{2,8}))?$/;

/** The name of the member in the same deployment; empty when it lives elsewhere. */
export function nameInUrl(url: string): string {
  return OBJECT_URL.exec(url)?.[1] ?? '';
}

/** Where the object is to be made; null when that is left to the platform. */
export function locationInUrl(url: string): string | null {
  return OBJECT_URL.exec(url)?.[2] ?? null;
}

/** What etcd's `types.NewURLs` takes: scheme, host and port, and nothing else. */
export function isPeerUrl(url: string): boolean {
  if (OBJECT_URL.test(url)) return true;
  const host = /^https?:\/\/(\[[\da-fA-F:.]+\]|[^\s/?#@:[\]]+):(\d{1,5})$/.exec(url);
  return host !== null && Number(host[2]) <= 65_535;
}
