import { textError } from './answer.ts';

/**
 * etcd's --host-whitelist, against pages that give a name of their own the server's address (DNS
 * rebinding, CVE-2018-5702): other names than those listed are answered 421. `*` is every name.
 * @param list names without ports, as ETCD_HOST_WHITELIST has them
 * @returns null: the request may go on
 */
export function refusedHost(request: Request, list: string): Response | null {
  const names = list.split(',').map((name) => name.trim().toLowerCase());
  const host = new URL(request.url).hostname;
  if (names.includes('*') || names.includes(host)) return null;
  const reason = `${host} is not a name that is served here; ETCD_HOST_WHITELIST lists those that are`;
  return textError(421, reason);
}
