import { isPeerUrl } from '../api/peer_url.ts';
import { defaults } from '../config.ts';
import { SettingsError, type VariableReader } from './variables.ts';

/** The variables that say how founders find each other when nobody names them. */
export interface BootstrapEnv {
  readonly ETCD_DISCOVERY?: string;
  readonly ETCD_DISCOVERY_SRV?: string;
  readonly ETCD_DISCOVERY_SRV_NAME?: string;
  readonly ETCD_INITIAL_ADVERTISE_PEER_URLS?: string;
  readonly EDGETCD_DNS_OVER_HTTPS?: string;
}

/** Where a member that does not know its fellow founders looks for them. */
export type Bootstrap =
  /** A directory of etcd's v2 API, in which each of them registers. */
  | { readonly kind: 'discovery'; readonly url: string }
  /** DNS: `_etcd-server-ssl<suffix>._tcp.<domain>` and `_etcd-server<suffix>._tcp.<domain>`. */
  | {
      readonly kind: 'srv';
      readonly domain: string;
      /** Empty, or a dash and a name. */
      readonly suffix: string;
      readonly resolverUrl: string;
    };

type Reader = VariableReader<keyof BootstrapEnv | 'ETCD_INITIAL_CLUSTER'>;

/** Null: ETCD_INITIAL_CLUSTER names them, or there are none. @throws SettingsError */
export function bootstrapSettings(read: Reader): Bootstrap | null {
  const url = read.text('ETCD_DISCOVERY');
  const domain = read.text('ETCD_DISCOVERY_SRV');
  const suffix = read.text('ETCD_DISCOVERY_SRV_NAME');
  const resolverUrl = resolverUrlOf(read);
  const ways = [read.text('ETCD_INITIAL_CLUSTER'), url, domain].filter((way) => way !== null);
  if (ways.length > 1) {
    throw new SettingsError(
      'multiple discovery or bootstrap flags are set. ' +
        'Choose one of "initial-cluster", "discovery" or "discovery-srv"',
    );
  }
  if (domain !== null) {
    if (!isName(domain)) throw new SettingsError(`ETCD_DISCOVERY_SRV is no domain: "${domain}"`);
    const ending = suffix === null ? '' : `-${suffix}`;
    if (!isName(`_etcd-server-ssl${ending}`)) {
      throw new SettingsError(`ETCD_DISCOVERY_SRV_NAME is no part of a name: "${suffix}"`);
    }
    return { kind: 'srv', domain, suffix: ending, resolverUrl };
  }
  if (suffix !== null) throw new SettingsError('ETCD_DISCOVERY_SRV_NAME needs ETCD_DISCOVERY_SRV');
  if (url === null) return null;
  return { kind: 'discovery', url: discoveryUrl(url) };
}

/** Where peers reach this member, if it is told; else null. @throws SettingsError */
export function advertisedPeerUrl(read: Reader): string | null {
  const text = read.text('ETCD_INITIAL_ADVERTISE_PEER_URLS');
  if (text === null || isPeerUrl(text)) return text;
  throw new SettingsError(
    `ETCD_INITIAL_ADVERTISE_PEER_URLS must be one URL, as http://10.0.0.1:2380, not "${text}"`,
  );
}

/** As it is written: it becomes the cluster's token, and all founders must have the same. */
function discoveryUrl(text: string): string {
  const url = /^https?:\/\//.test(text) && URL.canParse(text) ? new URL(text) : null;
  if (url !== null && url.pathname !== '/' && url.search === '' && url.hash === '') return text;
  throw new SettingsError(
    `ETCD_DISCOVERY must be like https://discovery.example/<token>, not "${text}"`,
  );
}

function resolverUrlOf(read: Reader): string {
  const url = read.text('EDGETCD_DNS_OVER_HTTPS') ?? defaults.dnsOverHttpsUrl;
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return url;
  throw new SettingsError(`EDGETCD_DNS_OVER_HTTPS is not a URL: "${url}"`);
}

/** Labels of letters, digits and dashes: anything else would end up in a question to DNS. */
function isName(text: string): boolean {
  return text.length <= 253 && /^[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?$/.test(text);
}
