import type { BootstrapHost } from './founders.ts';
import { DnsOverHttps } from './resolver.ts';

/** The service around the object has no address: it is reached by its binding. */
const RESOLVER_URL = 'http://resolver/dns-query';

/** The platform's ways to founders. @param resolver DNS of the process around the object */
export function waysOutside(
  resolver: Fetcher | undefined,
): Pick<BootstrapHost, 'ask' | 'resolver'> {
  const ask = (url: string, init: RequestInit) => fetch(url, init);
  if (resolver === undefined) return { ask, resolver: null };
  const inside = new DnsOverHttps(RESOLVER_URL, (url, init) => resolver.fetch(url, init));
  return { ask, resolver: inside };
}
