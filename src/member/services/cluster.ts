import { create } from '@bufbuild/protobuf';
import type { CallContext } from '../../api/call.ts';
import { EtcdError } from '../../api/error.ts';
import {
  Cluster,
  type MemberAddRequest,
  MemberAddResponseSchema,
  MemberListResponseSchema,
  MemberPromoteResponseSchema,
  type MemberRemoveRequest,
  MemberRemoveResponseSchema,
  MemberUpdateResponseSchema,
} from '../../api/gen/rpc_pb.ts';
import { isPeerUrl } from '../../api/peer_url.ts';
import { must } from '../../lib/assert.ts';
import type { Membership } from '../../state/member.ts';
import { listMembers } from '../belonging.ts';
import { addedMemberId, idOfNumber, numberOfId } from '../identity.ts';
import { mayAdd, mayLiveAt, mayPromote, mayRemove, successorOf } from '../reconfiguration.ts';
import { type Route, type ServiceHost, unary } from './service.ts';

/** How often a member looks whether it has applied what its leader has. */
const SEEN_POLL_MS = 10;

/**
 * etcd's Cluster service. Changes of who votes are made by the leader, who knows how far everybody
 * is; members that do not lead ask it. Headers here have no revision, as etcd's.
 */
export function clusterService(host: ServiceHost): Route[] {
  const { method } = Cluster;
  return [
    unary(method.memberList, async (request, context) => {
      if (request.linearizable) await host.linearizable(context);
      return create(MemberListResponseSchema, { header: host.header(), members: members(host) });
    }),
    unary(method.memberAdd, async (request, context) => {
      checkUrls(request.peerURLs);
      if (leads(host)) return addMember(host, request, context);
      const response = await host.askLeader(method.memberAdd, request, context);
      const { ID = 0n } = response.member ?? {};
      await seen(host, ({ all }) => all.some(({ id }) => id === ID));
      return Object.assign(response, { header: host.header() });
    }),
    unary(method.memberRemove, async (request, context) => {
      if (leads(host)) return removeMember(host, request, context);
      return askToRemove(host, request, context);
    }),
    unary(method.memberPromote, async (request, context) => {
      if (!leads(host)) {
        const response = await host.askLeader(method.memberPromote, request, context);
        await seen(host, ({ all }) =>
          all.some(({ id, isLearner }) => id === request.ID && !isLearner),
        );
        return Object.assign(response, { header: host.header() });
      }
      mayPromote(host, request.ID);
      const value = { $typeName: 'edgetcd.MemberPromote' as const, memberId: request.ID };
      await host.reconfigure({ case: 'memberPromote', value }, context);
      return create(MemberPromoteResponseSchema, { header: host.header(), members: members(host) });
    }),
    // It does not change who votes: any member proposes it.
    unary(method.memberUpdate, async (request, context) => {
      const { ID: memberId, peerURLs: peerUrls } = request;
      if (!has(host, memberId)) {
        // It may have been added a moment ago, by another member: etcd finds out by the log.
        await host.linearizable(context);
        if (!has(host, memberId)) throw EtcdError.of('memberNotFound');
      }
      checkUrls(peerUrls);
      const value = { $typeName: 'edgetcd.MemberUpdate' as const, memberId, peerUrls };
      await host.propose({ case: 'memberUpdate', value }, context);
      return create(MemberUpdateResponseSchema, { header: host.header(), members: members(host) });
    }),
  ];
}

async function addMember(
  host: ServiceHost,
  { peerURLs, isLearner }: MemberAddRequest,
  context: CallContext,
) {
  mayLiveAt(host, peerURLs);
  mayAdd(host, isLearner);
  const { clusterToken } = host.settings;
  const id = await addedMemberId(peerURLs, clusterToken, host.clock.wallClockMs());
  const memberId = numberOfId(id);
  const fields = { memberId, peerUrls: [...peerURLs], isLearner };
  const value = { $typeName: 'edgetcd.MemberAdd' as const, ...fields };
  await host.reconfigure({ case: 'memberAdd', value }, context);
  const all = members(host);
  const member = must(
    all.find(({ ID }) => ID === memberId),
    'a member that was added is on the list',
  );
  return create(MemberAddResponseSchema, { header: host.header(), member, members: all });
}

/** A leader that is to go hands over first, so that nobody waits for an election. */
async function removeMember(host: ServiceHost, request: MemberRemoveRequest, context: CallContext) {
  mayRemove(host, request.ID);
  const self = host.identity.memberId;
  const successor = idOfNumber(request.ID) === self ? successorOf(host.node.status.raft) : null;
  if (successor !== null) {
    await host.transferLeadership(successor).catch(() => undefined);
    if (!leads(host)) return askToRemove(host, request, context);
  }
  const value = { $typeName: 'edgetcd.MemberRemove' as const, memberId: request.ID };
  await host.reconfigure({ case: 'memberRemove', value }, context);
  return create(MemberRemoveResponseSchema, { header: host.header(), members: members(host) });
}

async function askToRemove(host: ServiceHost, request: MemberRemoveRequest, context: CallContext) {
  const response = await host.askLeader(Cluster.method.memberRemove, request, context);
  await seen(host, ({ all }) => all.every(({ id }) => id !== request.ID));
  return Object.assign(response, { header: host.header() });
}

/**
 * The leader has made a change: whoever asks this member next is to see it here too. It hears of
 * it in a moment; if it does not, because it is not a member any more, it is made all the same.
 */
async function seen(host: ServiceHost, isSeen: (members: Membership) => boolean): Promise<void> {
  const lastMs = host.clock.nowMs() + host.settings.electionTimeoutMs;
  while (!isSeen(host.machine.membership) && host.clock.nowMs() < lastMs) {
    await new Promise<void>((resolve) => host.clock.setTimer(resolve, SEEN_POLL_MS));
  }
}

function leads({ node }: ServiceHost): boolean {
  return node.soft.role === 'leader';
}

function members({ machine }: ServiceHost) {
  return listMembers(machine.membership);
}

function has(host: ServiceHost, memberId: bigint): boolean {
  return members(host).some(({ ID }) => ID === memberId);
}

/** As etcd: at least one, each with scheme, host and port, and nothing else. */
function checkUrls(urls: readonly string[]): void {
  if (urls.length === 0 || !urls.every(isPeerUrl)) throw EtcdError.of('memberUrlsInvalid');
}
