import { create } from '@bufbuild/protobuf';
import { EtcdError } from '../../api/error.ts';
import {
  Lease,
  LeaseGrantResponseSchema,
  LeaseLeasesResponseSchema,
  LeaseRevokeResponseSchema,
  LeaseTimeToLiveResponseSchema,
} from '../../api/gen/rpc_pb.ts';
import { validateLeaseGrant } from '../../state/validate.ts';
import { type Route, type ServiceHost, unary } from './service.ts';

/**
 * The unary methods of etcd's Lease service. How long a lease still lives is known to the leader
 * only.
 */
export function leaseService(host: ServiceHost): Route[] {
  return [
    unary(Lease.method.leaseGrant, async (request, context) => {
      validateLeaseGrant(request);
      const ID = request.ID === 0n ? host.lessor.drawId() : request.ID;
      const TTL = host.lessor.grantedTtl(request.TTL);
      const result = await host.propose(
        { case: 'leaseGrant', value: { ...request, ID, TTL } },
        context,
      );
      return create(LeaseGrantResponseSchema, { header: host.header(result.revision), ID, TTL });
    }),
    unary(Lease.method.leaseRevoke, async (request, context) => {
      const result = await host.propose({ case: 'leaseRevoke', value: request }, context);
      return create(LeaseRevokeResponseSchema, { header: host.header(result.revision) });
    }),
    unary(Lease.method.leaseTimeToLive, async (request, context) => {
      if (!host.lessor.leading)
        return host.askLeader(Lease.method.leaseTimeToLive, request, context);
      await host.linearizable(context);
      const lease = host.machine.leaseTimeToLive(request.ID, request.keys);
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
      const leases = host.lessor.byExpiry(host.machine.leases().map(({ id }) => id));
      return create(LeaseLeasesResponseSchema, {
        header: host.header(host.machine.revision),
        leases: leases.map((ID) => ({ ID })),
      });
    }),
  ];
}
