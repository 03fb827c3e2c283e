import type { MetaTable } from '../../storage/meta.ts';
import type { Bootstrap } from '../bootstrap_settings.ts';
import type { ClusterSettings, Peer } from '../cluster_settings.ts';
import { memberId } from '../identity.ts';
import type { Ask } from './answer.ts';
import { foundersByDiscovery } from './discovery.ts';
import { DiscoveryClient } from './discovery_client.ts';
import { DnsOverHttps, type Resolver } from './resolver.ts';
import { foundersByDns, type SrvBootstrap } from './srv.ts';

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
  const { bootstrap, self: alone } = settings;
  if (bootstrap === null) return settings;
  const { self, members } = kept(host.meta) ?? (await look(bootstrap, alone, host));
  return { ...settings, self, members, identity: members };
}

async function look(bootstrap: Bootstrap, self: Peer, host: BootstrapHost): Promise<Found> {
  const found =
    bootstrap.kind === 'srv'
      ? await lookInDns(bootstrap, self, host)
      : await lookInRegistry(bootstrap.url, self, host);
  host.meta.set(FOUND, JSON.stringify(found));
  return found;
}

async function lookInRegistry(url: string, self: Peer, host: BootstrapHost): Promise<Found> {
  const client = new DiscoveryClient(url, host.ask);
  // As etcd prints it: without zeros in front.
  const id = (await memberId([self.url], url)).replace(/^0+(?=.)/, '');
  const members = await foundersByDiscovery(client, self, id, {
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

async function lookInDns(bootstrap: SrvBootstrap, self: Peer, host: BootstrapHost): Promise<Found> {
  const resolver = host.resolver ?? new DnsOverHttps(bootstrap.resolverUrl, host.ask);
  for (;;) {
    const found = await foundersByDns(bootstrap, self, resolver);
    if (typeof found !== 'string') return found;
    host.waiting(`waiting for DNS: ${found}`);
    await host.sleep(DNS_RETRY_MS);
  }
}

function kept(meta: MetaTable): Found | null {
  const text = meta.text(FOUND);
  return text === null ? null : (JSON.parse(text) as Found);
}
