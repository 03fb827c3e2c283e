import { create } from '@bufbuild/protobuf';
import type { CallContext } from '../../api/call.ts';
import { EtcdError } from '../../api/error.ts';
import {
  CampaignResponseSchema,
  Election,
  LeaderResponseSchema,
  ProclaimResponseSchema,
  ResignResponseSchema,
} from '../../api/gen/election_pb.ts';
import { equalBytes } from '../../lib/bytes.ts';
import { withoutCode } from './codeless.ts';
import { ownerRange, resignTxn, valueTxn } from './contest.ts';
import type { ContestHost, Contests } from './contests.ts';
import { type Route, unary, waiting } from './service.ts';
import { range, writeTxn } from './store.ts';

/** etcd's Election service, but for observing: a contest whose keys hold what is proclaimed. */
export function electionService(host: ContestHost, contests: Contests): Route[] {
  return [
    waiting(Election.method.campaign, ({ name, lease: given, value }, context, signal) =>
      withoutCode(async () => {
        const lease = await contests.leaseOf(given, context);
        const { contender, before, standing, header } = await contests.enter(
          name,
          lease,
          value,
          context,
        );
        const { key, revision: rev } = contender;
        if (before !== null && !equalBytes(before, value)) {
          await proclaim(host, { key, lease, revision: rev }, value, context);
        }
        const isOwner = standing?.kind === 'owner';
        const isOut = standing?.kind === 'out';
        if (isOut || (!isOwner && !(await contests.untilOwner(contender, context, signal)))) {
          throw EtcdError.of('electionNotLeader');
        }
        // As in etcd the header is of the candidacy, not of the moment it was won.
        return create(CampaignResponseSchema, { header, leader: { name, key, rev, lease } });
      }),
    ),
    unary(Election.method.proclaim, ({ leader, value }, context) =>
      withoutCode(async () => {
        if (!leader) throw EtcdError.of('leaderNotProvided');
        const lease = await contests.leaseOf(leader.lease, context);
        const contender = { key: leader.key, lease, revision: leader.rev };
        const { header } = await proclaim(host, contender, value, context);
        return create(ProclaimResponseSchema, { header });
      }),
    ),
    unary(Election.method.leader, ({ name }, context) =>
      withoutCode(async () => {
        await host.linearizable(context);
        const { header, kvs } = range(host, ownerRange(name), context);
        const [kv] = kvs;
        if (!kv) throw EtcdError.of('electionNoLeader');
        return create(LeaderResponseSchema, { header, kv });
      }),
    ),
    unary(Election.method.resign, ({ leader }, context) =>
      withoutCode(async () => {
        if (!leader) throw EtcdError.of('leaderNotProvided');
        const { key, rev: revision } = leader;
        const { header } = await writeTxn(host, resignTxn({ key, revision }), context);
        return create(ResignResponseSchema, { header });
      }),
    ),
  ];
}

/** @throws EtcdError `election: not leader` when its key is not that one any more */
async function proclaim(
  host: ContestHost,
  contender: { key: Uint8Array; lease: bigint; revision: bigint },
  value: Uint8Array,
  context: CallContext,
) {
  const response = await writeTxn(host, valueTxn(contender, value), context);
  if (!response.succeeded) throw EtcdError.of('electionNotLeader');
  return response;
}
