import type { MemberRpc } from '../api/call.ts';
import { defaults } from '../config.ts';
import { type Pairs, readPairs } from '../lib/pairs.ts';
import { ConfigError } from './config_error.ts';
import {
  type DiscoveryEnv,
  type DiscoverySettings,
  discoverySettings,
} from './discovery_settings.ts';
import { isLocation, type Location } from './placement.ts';

/** The namespace of members, as far as the gateway uses it. */
export interface MemberNamespace {
  getByName(name: string, options?: { locationHint?: Location }): MemberRpc;
}

/** The Worker's variables that the gateway reads; wrangler.toml explains them. */
export interface GatewayEnv extends DiscoveryEnv {
  readonly MEMBER: MemberNamespace;
  readonly EDGETCD_CLUSTER?: string;
  readonly ETCD_NAME?: string;
  readonly ETCD_INITIAL_CLUSTER?: string;
  readonly ETCD_LOCATION_HINTS?: string;
  readonly ETCD_CORS?: string;
  readonly ETCD_ENABLE_V2?: string;
  readonly ETCD_HOST_WHITELIST?: string;
  readonly EDGETCD_ACCESS_LOG?: string;
  readonly ALLOW_NONE_AUTHENTICATION?: string;
  readonly PEER_SECRET?: string;
  readonly EDGETCD_METRICS_TOKEN?: string;
}

/** Who is served here, and to whom. */
export interface Settings {
  readonly cluster: string;
  /** The members that live in this deployment, never empty. */
  readonly members: readonly string[];
  /** They are all members, and may become others: this is no member of a federation. */
  readonly whole: boolean;
  readonly locations: ReadonlyMap<string, Location>;
  /** Whether clients are served without authentication. */
  readonly open: boolean;
  /** Whether the v2 API is there. */
  readonly v2: boolean;
  /** The discovery service; null: there is none. */
  readonly discovery: DiscoverySettings | null;
  /** null: there are no peers outside. */
  readonly peerSecret: string | null;
  /** null: metrics are for everyone, or for nobody. */
  readonly metricsToken: string | null;
}

/** @throws ConfigError */
export function settingsOf(env: GatewayEnv): Settings {
  checkAccessLog(env);
  const members = membersOf(env);
  const open = env.ALLOW_NONE_AUTHENTICATION === 'yes';
  return {
    cluster: env.EDGETCD_CLUSTER || defaults.clusterName,
    members,
    whole: !env.ETCD_NAME,
    locations: locationsOf(env.ETCD_LOCATION_HINTS ?? ''),
    open,
    v2: isV2Enabled(env),
    discovery: discoverySettings(env, open),
    peerSecret: env.PEER_SECRET || null,
    metricsToken: env.EDGETCD_METRICS_TOKEN || null,
  };
}

/** `errors`: requests of the API that failed on our side. */
const ACCESS_LOG_LEVELS: readonly string[] = ['off', 'errors', 'all'];

function checkAccessLog({ EDGETCD_ACCESS_LOG: level }: GatewayEnv): void {
  if (!level || ACCESS_LOG_LEVELS.includes(level)) return;
  const known = ACCESS_LOG_LEVELS.join(', ');
  throw new ConfigError(`EDGETCD_ACCESS_LOG is not one of ${known}: "${level}"`);
}

/** etcd 3.4 wants it enabled; here it is, unless it is not wanted. */
function isV2Enabled({ ETCD_ENABLE_V2: value }: GatewayEnv): boolean {
  if (!value || value === 'true') return true;
  if (value === 'false') return false;
  throw new ConfigError(`ETCD_ENABLE_V2 is neither true nor false: "${value}"`);
}

/**
 * With ETCD_NAME this deployment is one member of a federation. Without it all members live here,
 * and ETCD_INITIAL_CLUSTER says which; etcd's own default is a cluster of one, named "default".
 */
function membersOf(env: GatewayEnv): readonly string[] {
  if (env.ETCD_NAME) return [env.ETCD_NAME];
  if (!env.ETCD_INITIAL_CLUSTER) return ['default'];
  return pairsOf('ETCD_INITIAL_CLUSTER', env.ETCD_INITIAL_CLUSTER).map(([name, url]) => {
    if (url === `do://${name}`) return name;
    throw new ConfigError(
      `ETCD_INITIAL_CLUSTER: ${name}=${url} is not ${name}=do://${name}; a member that is ` +
        'reached by another URL has a deployment of its own, where ETCD_NAME names it',
    );
  });
}

/** Members that are added later may have theirs here as well. */
function locationsOf(text: string): ReadonlyMap<string, Location> {
  const locations = new Map<string, Location>();
  for (const [name, location] of text === '' ? [] : pairsOf('ETCD_LOCATION_HINTS', text)) {
    if (!isLocation(location)) {
      throw new ConfigError(`ETCD_LOCATION_HINTS: ${location} is not a location`);
    }
    locations.set(name, location);
  }
  return locations;
}

/** A variable that lists members. @throws ConfigError */
function pairsOf(variable: string, text: string): Pairs {
  const pairs = readPairs(text);
  if (typeof pairs === 'string') throw new ConfigError(`${variable}: ${pairs}`);
  return pairs;
}
