import { limits } from '../../config.ts';
import { messageOf } from '../../lib/error.ts';
import type { Bootstrap } from '../bootstrap_settings.ts';
import type { Peer } from '../cluster_settings.ts';
import { SettingsError } from '../variables.ts';
import type { Resolver, SrvRecord } from './resolver.ts';

export type SrvBootstrap = Extract<Bootstrap, { kind: 'srv' }>;

/** One founder, as a record names it. */
interface Candidate extends SrvRecord {
  readonly scheme: 'http' | 'https';
  readonly service: string;
  /** Host and port, as in its URL. */
  readonly place: string;
}

/**
 * The founders that DNS names, as etcd's --discovery-srv finds them: https records first, then
 * http; this member is the record that leads to its own peer URL. The others have no names yet:
 * etcd numbers them, but each of its members in another way, and here founders begin with equal
 * states.
 *
 * Resolves to what DNS says now, or to why that is not enough yet.
 * @throws SettingsError when the records contradict the member's settings
 */
export async function foundersByDns(
  { domain, suffix }: SrvBootstrap,
  self: Peer,
  resolver: Resolver,
): Promise<{ readonly self: Peer; readonly members: readonly Peer[] } | string> {
  const found: Candidate[] = [];
  const failures: string[] = [];
  for (const scheme of ['https', 'http'] as const) {
    const service = `etcd-server${scheme === 'https' ? '-ssl' : ''}${suffix}`;
    try {
      const records = await resolver.srv(`_${service}._tcp.${domain}`);
      if (records.length === 0) throw new Error('no such host');
      found.push(...records.map((record) => candidateOf(record, scheme, service)));
    } catch (error) {
      failures.push(`error querying DNS SRV records for _${service} ${messageOf(error)}`);
    }
  }
  // With one kind of record missing, as usual, the other decides.
  if (found.length === 0) return `too many errors querying DNS SRV records: ${failures.join(',')}`;
  if (found.length > limits.foundersMax) {
    throw new SettingsError(`DNS names ${found.length} founders, more than ${limits.foundersMax}`);
  }
  const own = await ownRecord(found, self.url, resolver);
  if (typeof own === 'string') return own;
  if (own.length !== 1) {
    throw new SettingsError(`cannot find local etcd member "${self.name}" in SRV records`);
  }
  const [{ scheme, service, place } = { scheme: '', service: '', place: '' }] = own;
  if (new URL(self.url).protocol !== `${scheme}:`) {
    throw new SettingsError(
      `bootstrap at ${scheme}://${place} from DNS for ${service} has scheme mismatch with ` +
        `expected peer ${self.url}`,
    );
  }
  const urls = [...new Set(found.map((each) => `${each.scheme}://${each.place}`))].sort();
  return {
    self: { name: self.name, url: `${scheme}://${place}` },
    members: urls.map((url) => ({ name: '', url })),
  };
}

function candidateOf(record: SrvRecord, scheme: Candidate['scheme'], service: string): Candidate {
  const host = record.target.includes(':') ? `[${record.target}]` : record.target;
  return { ...record, scheme, service, place: `${host}:${record.port}` };
}

/**
 * The records that lead to this member: by its very host and port, or else to one of its addresses.
 * The first is looked for before the second, because members behind one network of proxies have
 * the same addresses. A string: the addresses are not known yet.
 */
async function ownRecord(
  found: readonly Candidate[],
  url: string,
  resolver: Resolver,
): Promise<readonly Candidate[] | string> {
  const { hostname, port: text, protocol } = new URL(url);
  const port = Number(text || (protocol === 'https:' ? 443 : 80));
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const samePort = found.filter((each) => each.port === port);
  const named = samePort.filter(({ target }) => target.toLowerCase() === host);
  if (named.length > 0) return named;
  try {
    const own = new Set(await resolver.addresses(host));
    const leading: Candidate[] = [];
    for (const each of samePort) {
      const addresses = await resolver.addresses(each.target);
      if (addresses.some((address) => own.has(address))) leading.push(each);
    }
    return leading;
  } catch (error) {
    return messageOf(error);
  }
}
