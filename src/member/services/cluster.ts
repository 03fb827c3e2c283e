import { create } from '@bufbuild/protobuf';
import { Cluster, MemberListResponseSchema } from '../../api/gen/rpc_pb.ts';
import { numberOfId } from '../identity.ts';
import { type Route, type ServiceHost, unary } from './service.ts';

/** etcd's Cluster service, as far as it is served: the list of members. */
export function clusterService(host: ServiceHost): Route[] {
  return [
    unary(Cluster.method.memberList, async (request, context) => {
      if (request.linearizable) await host.linearizable(context);
      return create(MemberListResponseSchema, { header: host.header(), members: members(host) });
    }),
  ];
}

/**
 * The voters and learners of the applied configuration, by id; names and URLs once a member has
 * told them.
 */
function members({ node, machine, identity }: ServiceHost) {
  const { voters, votersOutgoing, learners } = node.status.raft.confState;
  const published = new Map(machine.members().map((member) => [member.id, member]));
  return [...new Set([...voters, ...votersOutgoing, ...learners])].sort().map((id) => {
    const ID = numberOfId(id);
    const known = published.get(ID);
    const configured = identity.members.find((member) => member.id === id);
    return {
      ID,
      name: known?.name ?? '',
      peerURLs: known ? [...known.peerUrls] : configured ? [configured.url] : [],
      clientURLs: [...(known?.clientUrls ?? [])],
      isLearner: learners.includes(id),
    };
  });
}
