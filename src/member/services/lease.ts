import { create } from '@bufbuild/protobuf';
import type { CallContext } from '../../api/call.ts';
import { EtcdError } from '../../api/error.ts';
import { Leader, RenewLeasesResponseSchema } from '../../api/gen/command_pb.ts';
import {
  Lease,
  LeaseGrantRequestSchema,
  type LeaseGrantResponse,
  LeaseGrantResponseSchema,
  LeaseLeasesResponseSchema,
  LeaseRevokeResponseSchema,
  LeaseTimeToLiveResponseSchema,
} from '../../api/gen/rpc_pb.ts';
import { limits } from '../../config.ts';
import { validateLeaseGrant } from '../../state/validate.ts';
import { type Route, type ServiceHost, unary } from './service.ts';

/**
 * The unary methods of etcd's Lease service. How long a lease still lives is known to the leader
 * only.
 */
export function leaseService(host: ServiceHost): Route[] {
  return [
    unary(Lease.method.leaseGrant, ({ ID, TTL }, context) => grantLease(host, ID, TTL, context)),
    unary(Lease.method.leaseRevoke, async (request, context) => {
      const result = await host.propose({ case: 'leaseRevoke', value: request }, context);
      return create(LeaseRevokeResponseSchema, { header: host.header(result.revision) });
    }),
    unary(Lease.method.leaseTimeToLive, async (request, context) => {
      if (!host.lessor.leading)
        return host.askLeader(Lease.method.leaseTimeToLive, request, context);
      await host.linearizable(context);
      const lease = host.machine.leaseTimeToLive(request.ID, request.keys, host.caller(context));
      const header = host.header(host.machine.revision);
      const { ID } = request;
      if (lease === null) return create(LeaseTimeToLiveResponseSchema, { header, ID, TTL: -1n });
      const grantedTTL = lease.grantedTtl;
      const keys = [...lease.keys];
      const TTL = host.lessor.remainingTtl(ID);
      if (TTL === null) throw EtcdError.of('leaderChanged');
      return create(LeaseTimeToLiveResponseSchema, { header, ID, TTL, grantedTTL, keys });
    }),
    unary(Lease.method.leaseLeases, async (_request, context) => {
      await host.linearizable(context);
      host.machine.authorizer.checkReadAll(host.caller(context));
      const leases = host.lessor.byExpiry(host.machine.leases());
      return create(LeaseLeasesResponseSchema, {
        header: host.header(host.machine.revision),
        leases: leases.map((ID) => ({ ID })),
      });
    }),
    // For other members, whose clients keep leases alive.
    unary(Leader.method.renewLeases, async ({ leaseIds }) => {
      const ttls = await host.keepAlives.answer(leaseIds);
      return create(RenewLeasesResponseSchema, { ttls });
    }),
  ];
}

/** Grants a lease; without an id it gets one. @throws EtcdError */
export async function grantLease(
  host: Pick<ServiceHost, 'machine' | 'lessor' | 'propose' | 'header'>,
  id: bigint,
  ttlSeconds: bigint,
  context: CallContext,
): Promise<LeaseGrantResponse> {
  if (host.machine.leaseCount >= limits.leasesMax) throw EtcdError.of('tooManyRequests');
  const asked = create(LeaseGrantRequestSchema, { ID: id, TTL: ttlSeconds });
  validateLeaseGrant(asked);
  const ID = id === 0n ? host.lessor.drawId() : id;
  const TTL = host.lessor.grantedTtl(ttlSeconds);
  const result = await host.propose({ case: 'leaseGrant', value: { ...asked, ID, TTL } }, context);
  return create(LeaseGrantResponseSchema, { header: host.header(result.revision), ID, TTL });
}
