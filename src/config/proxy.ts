import { limits } from '../config.ts';
import { assert } from '../lib/assert.ts';

/** Every limit of the proxy, with its reason. Units are the last word of a name. */
export const proxyLimits = {
  /** Clients' connections, each with one to a member: as many as a member takes streams. */
  connectionsMax: 8_192,
  /** Connections to one member that are kept without a request (etcd's proxy: the same). */
  idleConnectionsMax: 128,
  /**
   * For how long: shorter than members keep theirs (5 s), so that no request is lost on one that is
   * being closed at the other end.
   */
  idleConnectionMs: 4_000,
  /** A client's connection without a request. */
  idleClientMs: 120_000,
  /** Silence after which the system asks whether the other end of a connection is there. */
  keepAliveMs: 30_000,
  /** Bodies under way, together: each is kept whole until a member has answered. */
  bodiesBytesMax: 256 * 1024 * 1024,
  /** Members of one cluster, and URLs of theirs: far beyond any cluster. */
  endpointsMax: 64,
  /** A list of members in JSON. */
  memberListBytesMax: 1_048_576,
  /** How often it is looked whether a member owes an answer, or may be asked again. */
  tickMs: 500,
  /** A member that is asked whether it is there has so long to say so. */
  probeTimeoutMs: 2_000,
  /** While no member is available the cluster is looked for so often, as by etcd's proxy. */
  searchIntervalMs: 1_000,
  /** Members whose latency is within twice the lowest, and this, are equally near. */
  nearMs: 10,
  /** Requests that are under way when the proxy is told to stop have so long to end. */
  stopTimeoutMs: 3_000,
} as const;

assert(
  proxyLimits.bodiesBytesMax >= limits.bodyBytesMax,
  'the largest body must be taken by itself',
);
