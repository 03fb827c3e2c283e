import { fromBinary } from '@bufbuild/protobuf';
import { MemberListResponseSchema } from '../api/gen/rpc_pb.ts';
import { nameInUrl } from '../api/peer_url.ts';
import { messageOf } from '../lib/error.ts';
import type { MemberId } from '../raft/message.ts';
import { decodeReply, encodeFrame, type PeerIdentity } from '../transport/frame.ts';
import type { PeerLink } from '../transport/peer.ts';
import { type ClusterIdentity, idOfNumber } from './identity.ts';
import type { Peer } from './settings.ts';

/** How long to wait before asking again. */
const RETRY_MS = 500;

export interface ArrivalHost {
  readonly databaseId: string;
  linkTo(peer: Peer): PeerLink;
  sleep(ms: number): Promise<void>;
  /** Why the member does not take part yet, for whoever asks. */
  waiting(reason: string): void;
}

/**
 * A member that joins a cluster which exists asks its members who belongs to it, as etcd's does,
 * and finds itself among them by the URL at which its peers reach it. Resolves when it is there
 * under an id other than `exceptId`, which it must not use (again).
 */
export async function arrive(
  self: Peer,
  peers: readonly Peer[],
  exceptId: MemberId | null,
  host: ArrivalHost,
): Promise<ClusterIdentity> {
  const isOther = ({ name, url }: Peer) => name !== self.name && url !== self.url;
  const links = peers.filter(isOther).map((peer) => host.linkTo(peer));
  for (;;) {
    let heard = 'none of the members that it was told of answers';
    for (const link of links) {
      const answer = await membersAt(link, host.databaseId);
      if (typeof answer === 'string') {
        heard = answer;
        continue;
      }
      const own = answer.members.find(({ url, id }) => isSame(url, self.url) && id !== exceptId);
      if (own) {
        const { members, clusterId } = answer;
        const learner = answer.learners.has(own.id);
        return { arrived: true, clusterId, members, memberId: own.id, ...(learner && { learner }) };
      }
      heard = `waiting to be added: no member of the cluster has the peer URL ${self.url}`;
    }
    host.waiting(heard);
    await host.sleep(RETRY_MS);
  }
}

/** An object of one deployment is the same by its name, wherever it was to be made. */
function isSame(url: string, own: string): boolean {
  const name = nameInUrl(own);
  return url === own || (name !== '' && nameInUrl(url) === name);
}

type KnownCluster = Pick<ClusterIdentity, 'clusterId' | 'members'> & {
  readonly learners: ReadonlySet<MemberId>;
};

/** The cluster as that member knows it, or why it does not say. */
async function membersAt(link: PeerLink, databaseId: string): Promise<KnownCluster | string> {
  const sender: PeerIdentity = { clusterId: '', memberId: '', databaseId };
  try {
    const reply = decodeReply(
      await link.exchange(encodeFrame({ sender, body: { kind: 'members' } })),
    );
    if (reply.call === null || !('response' in reply.call)) return reply.reason;
    const { header, members } = fromBinary(MemberListResponseSchema, reply.call.response);
    return {
      clusterId: idOfNumber(header?.clusterId ?? 0n),
      members: members.flatMap(({ ID, name, peerURLs }) =>
        peerURLs.map((url) => ({ id: idOfNumber(ID), name: name || nameInUrl(url), url })),
      ),
      learners: new Set(members.filter((each) => each.isLearner).map(({ ID }) => idOfNumber(ID))),
    };
  } catch (error) {
    return messageOf(error);
  }
}
