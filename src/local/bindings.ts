import type { MemberRecord } from './directory.ts';
import { hostInUrl } from './listen_url.ts';
import { HOST } from './ports.ts';

/** One member of the local cluster: client and peer traffic share its port. */
export interface MemberAddress {
  readonly name: string;
  readonly port: number;
  /** Loopback, unless the member says otherwise. */
  readonly host?: string;
}

/** Members are m1, m2 … in the order of their ports. */
export function memberAddresses(ports: readonly number[]): MemberAddress[] {
  return ports.map((port, i) => ({ name: `m${i + 1}`, port }));
}

export function memberUrl(port: number, host: string = HOST): string {
  return `http://${hostInUrl(host)}:${port}`;
}

export interface BindingsInput {
  readonly clusterName: string;
  /** Goes into all ids. */
  readonly clusterToken: string;
  readonly members: readonly MemberAddress[];
  /** The ports of the directory's first start: member ids are derived from them. */
  readonly identityPorts: readonly number[];
  readonly peerSecret: string;
  readonly logLevel: string;
  /** The supervisor's own environment: its ETCD_* variables reach every member. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const OURS = /^(ETCD|EDGETCD)_/;
/** Of a single member: it means nothing to several. */
const OF_ONE = 'ETCD_INITIAL_ADVERTISE_PEER_URLS';

/**
 * The variables of one member. What decides who the member is cannot be overridden from the
 * environment; every other ETCD_* or EDGETCD_* variable is passed on
 * (`ETCD_SNAPSHOT_COUNT=100 npm start`).
 *
 * ETCD_INITIAL_CLUSTER says where the peers are now, EDGETCD_IDENTITY_CLUSTER where they were at
 * the first start. The second gives the member ids, so that a cluster survives other ports.
 */
export function memberBindings(self: MemberAddress, input: BindingsInput): Record<string, string> {
  return {
    ...inherited(input.environment),
    ETCD_NAME: self.name,
    ETCD_INITIAL_CLUSTER: initialCluster(input.members),
    ETCD_INITIAL_CLUSTER_STATE: 'new',
    ETCD_INITIAL_CLUSTER_TOKEN: input.clusterToken,
    ETCD_ADVERTISE_CLIENT_URLS: memberUrl(self.port),
    ETCD_LOG_LEVEL: input.logLevel,
    EDGETCD_CLUSTER: input.clusterName,
    EDGETCD_IDENTITY_CLUSTER: initialCluster(memberAddresses(input.identityPorts)),
    PEER_SECRET: input.peerSecret,
    // Loopback only: whoever can connect already runs on this machine.
    ALLOW_NONE_AUTHENTICATION: input.environment['ALLOW_NONE_AUTHENTICATION'] ?? 'yes',
  };
}

function initialCluster(members: readonly MemberAddress[]): string {
  return members.map(({ name, port }) => `${name}=${memberUrl(port)}`).join(',');
}

/** The variables of a member that joins: it is told where the others were when it was added. */
export function newMemberBindings(
  record: MemberRecord,
  input: Pick<BindingsInput, 'logLevel' | 'environment'> & { readonly port: number },
): Record<string, string> {
  const { name, cluster, peers, peerUrl, secret } = record;
  const members = [...peers, [name, peerUrl] as const];
  return {
    ...inherited(input.environment),
    ETCD_NAME: name,
    ETCD_INITIAL_CLUSTER: members.map(([peer, url]) => `${peer}=${url}`).join(','),
    ETCD_INITIAL_CLUSTER_STATE: 'existing',
    ETCD_ADVERTISE_CLIENT_URLS: memberUrl(input.port),
    ETCD_LOG_LEVEL: input.logLevel,
    EDGETCD_CLUSTER: cluster,
    PEER_SECRET: secret,
    ALLOW_NONE_AUTHENTICATION: input.environment['ALLOW_NONE_AUTHENTICATION'] ?? 'yes',
  };
}

function inherited(environment: BindingsInput['environment']): Record<string, string> {
  const ours = Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      OURS.test(entry[0]) && entry[0] !== OF_ONE && entry[1] !== undefined,
  );
  return Object.fromEntries(ours);
}
