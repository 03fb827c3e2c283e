import { HOST } from './ports.ts';

/** One member of the local cluster: client and peer traffic share its port. */
export interface MemberAddress {
  readonly name: string;
  readonly port: number;
}

/** Members are m1, m2 … in the order of their ports. */
export function memberAddresses(ports: readonly number[]): MemberAddress[] {
  return ports.map((port, i) => ({ name: `m${i + 1}`, port }));
}

export function memberUrl(port: number): string {
  return `http://${HOST}:${port}`;
}

export interface BindingsInput {
  readonly clusterName: string;
  readonly members: readonly MemberAddress[];
  /** The ports of the directory's first start: member ids are derived from them. */
  readonly identityPorts: readonly number[];
  readonly peerSecret: string;
  readonly logLevel: string;
  /** The supervisor's own environment: its ETCD_* variables reach every member. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * The variables of one member. What decides who the member is cannot be overridden from the
 * environment; every other ETCD_* variable is passed on (`ETCD_SNAPSHOT_COUNT=100 npm start`).
 *
 * ETCD_INITIAL_CLUSTER says where the peers are now, EDGETCD_IDENTITY_CLUSTER where they were at
 * the first start. The second gives the member ids, so that a cluster survives other ports.
 */
export function memberBindings(self: MemberAddress, input: BindingsInput): Record<string, string> {
  const inherited = Object.entries(input.environment).filter(
    (entry): entry is [string, string] => entry[0].startsWith('ETCD_') && entry[1] !== undefined,
  );
  return {
    ...Object.fromEntries(inherited),
    ETCD_NAME: self.name,
    ETCD_INITIAL_CLUSTER: initialCluster(input.members),
    ETCD_INITIAL_CLUSTER_STATE: 'new',
    ETCD_INITIAL_CLUSTER_TOKEN: input.clusterName,
    ETCD_ADVERTISE_CLIENT_URLS: memberUrl(self.port),
    ETCD_LOG_LEVEL: input.logLevel,
    EDGETCD_CLUSTER: input.clusterName,
    EDGETCD_IDENTITY_CLUSTER: initialCluster(memberAddresses(input.identityPorts)),
    PEER_SECRET: input.peerSecret,
    // Loopback only: whoever can connect already runs on this machine.
    ALLOW_NONE_AUTHENTICATION: 'yes',
  };
}

function initialCluster(members: readonly MemberAddress[]): string {
  return members.map(({ name, port }) => `${name}=${memberUrl(port)}`).join(',');
}
