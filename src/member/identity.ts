import { must } from '../lib/assert.ts';
import { concatBytes, toHex, utf8 } from '../lib/bytes.ts';
import type { MemberId } from '../raft/message.ts';
import type { MemberInfo } from '../state/member.ts';
import type { MetaTable } from '../storage/meta.ts';
import type { MemberSettings, Peer } from './settings.ts';

/** Who is who when a member starts for the first time; later its own rows say it. */
export interface ClusterIdentity {
  readonly clusterId: string;
  readonly memberId: MemberId;
  /** Founders, or whoever was a member when this one arrived. */
  readonly members: readonly (Peer & { readonly id: MemberId })[];
  /** The cluster was there before the member, which is none of its founders. */
  readonly arrived?: boolean;
  /** It was a learner when it arrived; what it applies says what it is later. */
  readonly learner?: boolean;
}

/**
 * The founders, derived from the settings alone: every one of them comes to the same ids. etcd's
 * rule: a member's id is the first 8 bytes of SHA-1 over its sorted peer URLs and the cluster
 * token, the cluster's id the same over the sorted member ids. (SHA-1 names things here, it
 * protects nothing.)
 */
export async function clusterIdentity(settings: MemberSettings): Promise<ClusterIdentity> {
  const { identity, members, clusterToken, self } = settings;
  const ids = await Promise.all(identity.map(({ url }) => memberId([url], clusterToken)));
  // Those that DNS has found have no names yet; those that have moved have other URLs now.
  const hasMoved = identity !== members;
  const idOf = ({ name, url }: Peer) =>
    must(
      ids[identity.findIndex((peer) => (hasMoved ? peer.name === name : peer.url === url))],
      `the founder ${name} has no identity`,
    );
  return {
    clusterId: toHex(await first8(concatBytes([...ids].sort().map(bytesOfId)))),
    memberId: idOf(self),
    members: members.map((peer) => ({ ...peer, id: idOf(peer) })),
  };
}

/**
 * The id of a member that is added. The time is part of it, as in etcd, so that one which comes
 * back at the same URLs is another member.
 */
export function addedMemberId(
  peerUrls: readonly string[],
  clusterToken: string,
  timeMs: number,
): Promise<MemberId> {
  return memberId(peerUrls, `${clusterToken}${Math.floor(timeMs / 1_000)}`);
}

/** The members of a new cluster, as its state begins with them; none for one that joins. */
export function foundersOf({ members, arrived }: ClusterIdentity): MemberInfo[] {
  if (arrived) return [];
  return members.map(({ id, name, url }) => ({
    id: numberOfId(id),
    name,
    clientUrls: [],
    peerUrls: [url],
    isLearner: false,
  }));
}

/** What the first start has found out, from the member's own rows; null on a new database. */
export function keptIdentity(meta: MetaTable): ClusterIdentity | null {
  const text = meta.text('identity');
  return text === null ? null : (JSON.parse(text) as ClusterIdentity);
}

export function keepIdentity(meta: MetaTable, identity: ClusterIdentity): void {
  meta.set('identity', JSON.stringify(identity));
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

/** etcd's rule, see {@link clusterIdentity}. @param suffix what follows the URLs in the sum */
export async function memberId(peerUrls: readonly string[], suffix: string): Promise<MemberId> {
  return toHex(await first8(utf8([...peerUrls].sort().join('') + suffix)));
}

async function first8(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-1', bytes)).subarray(0, 8);
}
