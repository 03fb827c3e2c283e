import type { MetaTable } from '../../storage/meta.ts';
import type { ClusterSettings, Peer } from '../cluster_settings.ts';
import { memberId } from '../identity.ts';
import type { Ask } from './answer.ts';
import { foundersByDiscovery } from './discovery.ts';
import { DiscoveryClient } from './discovery_client.ts';
import { DnsOverHttps, type Resolver } from './resolver.ts';
import { foundersByDns } from './srv.ts';

export interface BootstrapHost {
  readonly meta: MetaTable;
  /** HTTP to the outside. */
  readonly ask: Ask;
  /** The process around the member knows DNS; null: it is asked over HTTPS. */
  readonly resolver: Resolver | null;
  sleep(ms: number): Promise<void>;
  waiting(reason: string): void;
  /** Resolves when what was written so far is durable. */
  durable(): Promise<void>;
}

/** The founders that were found, and as which of them this member is known. */
type Found = Pick<ClusterSettings, 'self' | 'members'>;

/** How long to wait before DNS is asked again. */
const DNS_RETRY_MS = 2_000;
const FOUND = 'founders';
const BEGUN = 'registering';

/**
 * The settings with the founders in them, wherever they have to be looked for. What is found is
 * kept: a member that crashes before it has met the others must not look, or register, again.
 * @throws SettingsError when they cannot be found, in etcd's words
 */
export async function withFounders<T extends ClusterSettings>(
  settings: T,
  host: BootstrapHost,
): Promise<T> {
  if (settings.bootstrap === null) return settings;
  const { self, members } = kept(host.meta) ?? (await look(settings, host));
  return { ...settings, self, members, identity: members };
}

async function look(settings: ClusterSettings, host: BootstrapHost): Promise<Found> {
  const found =
    settings.bootstrap?.kind === 'srv'
      ? await lookInDns(settings, host)
      : await lookInRegistry(settings, host);
  host.meta.set(FOUND, JSON.stringify(found));
  return found;
}

async function lookInRegistry(settings: ClusterSettings, host: BootstrapHost): Promise<Found> {
  const { self, clusterToken: url } = settings;
  const id = await memberId([self.url], url);
  const client = new DiscoveryClient(url, host.ask);
  const members = await foundersByDiscovery(client, self, id.replace(/^0+(?=.)/, ''), {
    sleep: host.sleep,
    waiting: host.waiting,
    hasBegun: () => host.meta.text(BEGUN) === url,
    begin: () => {
      host.meta.set(BEGUN, url);
      return host.durable();
    },
  });
  return { self, members };
}

async function lookInDns(
  { bootstrap, self }: ClusterSettings,
  host: BootstrapHost,
): Promise<Found> {
  if (bootstrap?.kind !== 'srv') throw new Error('DNS is not where the founders are looked for');
  const resolver = host.resolver ?? new DnsOverHttps(bootstrap.resolverUrl, host.ask);
  for (;;) {
    const found = await foundersByDns(bootstrap, self, resolver);
    if (typeof found !== 'string') return found;
    host.waiting(`waiting for DNS: ${found}`);
    await host.sleep(DNS_RETRY_MS);
  }
}

function kept(meta: MetaTable): { self: Peer; members: readonly Peer[] } | null {
  const text = meta.text(FOUND);
  return text === null ? null : (JSON.parse(text) as { self: Peer; members: readonly Peer[] });
}
