/** Of the discovery service, and of members that look for each other. Part of config.ts. */
export const discoveryLimits = {
  /** Founders of a cluster: seven are sensible, and what more is named is a mistake or worse. */
  foundersMax: 31,
  /**
   * Tokens of the discovery service that live at once: whoever may make them could fill the store.
   */
  discoveryTokensMax: 1_000,
  /** Who registers although the cluster is full, because several came at once, is none of it. */
  discoverySpareEntries: 9,
  /** Requests that wait for founders at one member: 33 clusters of 31. */
  discoveryWaitsMax: 1_024,
  /** A founder's name and URLs. */
  discoveryValueBytesMax: 1_024,
  /** A token that ends before its founders have met is of no use. */
  discoveryTtlMsMin: 60_000,
  /** A question to a discovery service: etcd's bound. */
  discoveryTimeoutMs: 5_000,
  /** Waiting for other founders: connections are ended by somebody after a minute or so. */
  discoveryWaitMs: 50_000,
  /** A discovery service that does not answer is asked again after so long, then twice as long … */
  discoveryRetryMs: 2_000,
  /** … up to this: etcd's four minutes are long for who waits for a cluster. */
  discoveryRetryMsMax: 32_000,
  dnsTimeoutMs: 5_000,
  /** An answer of whoever is asked for founders: 31 of them and their names. */
  bootstrapAnswerBytesMax: 256 * 1024,
} as const;

export const discoveryDefaults = {
  /** EDGETCD_DISCOVERY_TTL: a week, as the public service kept its tokens. */
  discoveryTtlMs: 168 * 3_600_000,
  /** Members of a cluster when /new does not say: as the public service. */
  discoverySize: 3,
  /** EDGETCD_DNS_OVER_HTTPS: a Worker has no other way to DNS, and this one is its neighbour. */
  dnsOverHttpsUrl: 'https://cloudflare-dns.com/dns-query',
} as const;
