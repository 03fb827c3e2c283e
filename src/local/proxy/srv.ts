import type { Lookup } from '../resolver.ts';

/** The DNS name of a cluster, as --discovery-srv and --discovery-srv-name have it. */
export interface SrvName {
  readonly domain: string;
  /** Empty, or what comes after `etcd-server-`. */
  readonly suffix: string;
}

/** The members' peer URLs, as DNS has them now: those of https first, as etcd. */
export async function peersByDns(
  { domain, suffix }: SrvName,
  lookup: Lookup,
): Promise<readonly string[]> {
  const urls = await Promise.all(
    (['https', 'http'] as const).map(async (scheme) => {
      const service = ['etcd-server', scheme === 'https' ? 'ssl' : '', suffix];
      const name = `_${service.filter((part) => part !== '').join('-')}._tcp.${domain}`;
      // Most clusters have one kind of record only.
      const records = await lookup(name, 'SRV').catch(() => []);
      return records.flatMap((record) => urlOf(record, scheme) ?? []);
    }),
  );
  return urls.flat();
}

/** Of `priority weight port target`. */
function urlOf(record: string, scheme: string): string | null {
  const [, , port, target] = record.split(' ');
  if (port === undefined || !target) return null;
  return `${scheme}://${target.replace(/\.$/, '')}:${port}`;
}
