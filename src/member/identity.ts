import { must } from '../lib/assert.ts';
import { concatBytes, toHex, utf8 } from '../lib/bytes.ts';
import type { MemberId } from '../raft/message.ts';
import type { MemberSettings, Peer } from './settings.ts';

/** Who is who, derived from the settings alone: every member comes to the same ids. */
export interface ClusterIdentity {
  readonly clusterId: string;
  readonly memberId: MemberId;
  readonly members: readonly (Peer & { readonly id: MemberId })[];
}

/**
 * etcd's rule: a member's id is the first 8 bytes of SHA-1 over its sorted peer URLs and the
 * cluster token, the cluster's id the same over the sorted member ids. (SHA-1 names things here, it
 * protects nothing.)
 */
export async function clusterIdentity(settings: MemberSettings): Promise<ClusterIdentity> {
  const { identity, members, clusterToken, name } = settings;
  const ids = new Map<string, MemberId>();
  for (const peer of identity) {
    ids.set(peer.name, toHex(await first8(utf8(peer.url + clusterToken))));
  }
  const named = members.map((peer) => ({
    ...peer,
    id: must(ids.get(peer.name), `EDGETCD_IDENTITY_CLUSTER does not name ${peer.name}`),
  }));
  const sorted = [...ids.values()].sort().map(bytesOfId);
  return {
    clusterId: toHex(await first8(concatBytes(sorted))),
    memberId: must(ids.get(name), `${name} has no identity`),
    members: named,
  };
}

/** An id as the API shows it: an unsigned 64-bit integer. */
export function numberOfId(id: string): bigint {
  return BigInt(`0x${id}`);
}

/** The inverse of {@link numberOfId}. */
export function idOfNumber(number: bigint): string {
  return BigInt.asUintN(64, number).toString(16).padStart(16, '0');
}

function bytesOfId(id: MemberId): Uint8Array {
  return Uint8Array.from(id.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

async function first8(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-1', bytes)).subarray(0, 8);
}
