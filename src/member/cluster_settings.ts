import { nameInUrl } from '../api/peer_url.ts';
import { defaults } from '../config.ts';
import { must } from '../lib/assert.ts';
import { parsePairs } from '../lib/pairs.ts';
import {
  advertisedPeerUrl,
  type Bootstrap,
  type BootstrapEnv,
  bootstrapSettings,
} from './bootstrap_settings.ts';
import { SettingsError, type VariableReader } from './variables.ts';

/** The variables that say who the members are, under etcd's own names. */
export interface ClusterEnv extends BootstrapEnv {
  readonly ETCD_INITIAL_CLUSTER?: string;
  readonly ETCD_INITIAL_CLUSTER_STATE?: string;
  readonly ETCD_INITIAL_CLUSTER_TOKEN?: string;
  readonly ETCD_STRICT_RECONFIG_CHECK?: string;
  /**
   * Where the peers were when the cluster was made, if that differs from where they are now: ids
   * derive from it.
   */
  readonly EDGETCD_IDENTITY_CLUSTER?: string;
}

export interface Peer {
  readonly name: string;
  /** `do://name` in the same deployment, else where the peer's deployment is. */
  readonly url: string;
}

/** Which members a member is told of, and what it is to do about them at its first start. */
export interface ClusterSettings {
  readonly self: Peer;
  readonly members: readonly Peer[];
  /** Names and URLs from which ids are derived. */
  readonly identity: readonly Peer[];
  /** Where members are now, whatever the cluster has on record. */
  readonly addresses: readonly Peer[];
  readonly clusterToken: string;
  /** Null: `members` are all; else they are looked for, and `members` is this one alone. */
  readonly bootstrap: Bootstrap | null;
  /** The cluster exists: the member asks the others who it is, instead of founding it with them. */
  readonly joining: boolean;
  /** A change of membership that could cost the quorum is refused. */
  readonly strictReconfigCheck: boolean;
}

/** @throws SettingsError */
export function clusterSettings(
  name: string,
  read: VariableReader<keyof ClusterEnv>,
): ClusterSettings {
  const bootstrap = bootstrapSettings(read);
  const advertised = advertisedPeerUrl(read);
  const text = read.text('ETCD_INITIAL_CLUSTER') ?? `${name}=${advertised ?? `do://${name}`}`;
  const members = peersOf('ETCD_INITIAL_CLUSTER', text);
  checkUrls(members);
  const origin = read.text('EDGETCD_IDENTITY_CLUSTER');
  const identity = origin === null ? members : peersOf('EDGETCD_IDENTITY_CLUSTER', origin);
  const state = read.choice('ETCD_INITIAL_CLUSTER_STATE', ['new', 'existing'], 'new');
  if (origin !== null && bootstrap !== null) {
    throw new SettingsError('EDGETCD_IDENTITY_CLUSTER needs ETCD_INITIAL_CLUSTER');
  }
  if (bootstrap !== null) checkBootstrap(bootstrap, { advertised, state });
  const isNamed = members.some((peer) => peer.name === name);
  // An object of this deployment that nobody named was added later: no variable has to change.
  const isAdded = !isNamed && name !== '' && members.every(({ url }) => nameInUrl(url) !== '');
  if (!isNamed && !isAdded) {
    throw new SettingsError(
      `couldn't find local name "${name}" in the initial cluster configuration`,
    );
  }
  const named = members.find((peer) => peer.name === name);
  const self = isAdded ? { name, url: `do://${name}` } : must(named, 'the member is named');
  checkAdvertised(self, advertised);
  const joining = isAdded || state === 'existing';
  if (!joining) checkNamed(members, identity);
  const token = read.text('ETCD_INITIAL_CLUSTER_TOKEN') ?? defaults.clusterToken;
  return {
    self,
    members,
    identity,
    addresses: origin === null ? [] : members,
    // As in etcd: whoever registers under a URL belongs to the cluster of that URL.
    clusterToken: bootstrap?.kind === 'discovery' ? bootstrap.url : token,
    bootstrap,
    joining,
    strictReconfigCheck: read.flag('ETCD_STRICT_RECONFIG_CHECK', true),
  };
}

function checkBootstrap(
  { kind }: Bootstrap,
  { advertised, state }: { readonly advertised: string | null; readonly state: string },
): void {
  if (advertised === null || nameInUrl(advertised) !== '') {
    throw new SettingsError(
      'ETCD_INITIAL_ADVERTISE_PEER_URLS is not set: peers must learn where this member is',
    );
  }
  if (kind === 'discovery' && state === 'existing') {
    throw new SettingsError(
      'discovery URL should not be set when joining existing initial cluster',
    );
  }
}

/** Peers would look for the member where it is not. */
function checkAdvertised({ name, url }: Peer, advertised: string | null): void {
  if (advertised === null || advertised === url) return;
  throw new SettingsError(
    `--initial-cluster has ${name}=${url} but missing from ` +
      `--initial-advertise-peer-urls=${advertised}`,
  );
}

function checkUrls(members: readonly Peer[]): void {
  for (const { name, url } of members) {
    if (nameInUrl(url) === name || /^https?:\/\/./.test(url)) continue;
    throw new SettingsError(
      `ETCD_INITIAL_CLUSTER: ${name}=${url} is neither ${name}=do://${name} nor an http(s) URL`,
    );
  }
}

function checkNamed(members: readonly Peer[], identity: readonly Peer[]): void {
  const without = members.filter(({ name }) => !identity.some((peer) => peer.name === name));
  if (without.length === 0) return;
  const names = without.map(({ name }) => name).join(', ');
  throw new SettingsError(`EDGETCD_IDENTITY_CLUSTER does not name ${names}`);
}

/** Ids derive from URLs: two members of one URL would be one voter that is counted twice. */
function peersOf(variable: string, text: string): Peer[] {
  const pairs = parsePairs(text);
  if (pairs === null) throw new SettingsError(`${variable} is not a list of name=url: "${text}"`);
  const owners = new Map<string, string>();
  for (const [name, url] of pairs) {
    const owner = owners.get(url);
    if (owner !== undefined) {
      throw new SettingsError(`${variable}: ${owner} and ${name} have the same URL, ${url}`);
    }
    owners.set(url, name);
  }
  return pairs.map(([name, url]) => ({ name, url }));
}
