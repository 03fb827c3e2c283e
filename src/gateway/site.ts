import { Cluster } from './cluster.ts';
import { type GatewayEnv, type Settings, settingsOf } from './env.ts';

/** What the gateway knows about the deployment it runs in. */
export interface Site {
  readonly settings: Settings;
  readonly cluster: Cluster;
}

/**
 * The runtime passes the same env to every request of an isolate: what it says is read once, and
 * what the cluster learns lasts as long. @throws ConfigError
 */
export function siteCache(): (env: GatewayEnv) => Site {
  const sites = new WeakMap<GatewayEnv, Site>();
  return (env) => {
    const known = sites.get(env);
    if (known !== undefined) return known;
    const settings = settingsOf(env);
    const site = { settings, cluster: new Cluster(env.MEMBER, settings) };
    sites.set(env, site);
    return site;
  };
}
