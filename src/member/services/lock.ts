import { create } from '@bufbuild/protobuf';
import { EtcdError } from '../../api/error.ts';
import { Lock, LockResponseSchema, UnlockResponseSchema } from '../../api/gen/lock_pb.ts';
import { DeleteRangeRequestSchema } from '../../api/gen/rpc_pb.ts';
import { EMPTY_BYTES } from '../../lib/bytes.ts';
import { validateDeleteRange } from '../../state/validate.ts';
import { withoutCode } from './codeless.ts';
import type { ContestHost, Contests } from './contests.ts';
import { type Route, unary, waiting } from './service.ts';

/**
 * etcd's Lock service. The key that is returned exists as long as the lock is held, and its
 * create_revision rises from holder to holder: the fencing token.
 */
export function lockService(host: ContestHost, contests: Contests): Route[] {
  return [
    waiting(Lock.method.lock, (request, context, signal) =>
      withoutCode(async () => {
        const lease = await contests.leaseOf(request.lease, context);
        const entry = await contests.enter(request.name, lease, EMPTY_BYTES, context);
        const { contender, standing } = entry;
        if (standing?.kind === 'out') throw EtcdError.of('sessionExpired');
        const header =
          standing?.kind === 'owner'
            ? entry.header
            : await contests.untilOwner(contender, context, signal);
        if (header === null) throw EtcdError.of('sessionExpired');
        return create(LockResponseSchema, { header, key: contender.key });
      }),
    ),
    unary(Lock.method.unlock, ({ key }, context) =>
      withoutCode(async () => {
        const value = create(DeleteRangeRequestSchema, { key });
        validateDeleteRange(value);
        const { revision } = await host.propose({ case: 'deleteRange', value }, context);
        return create(UnlockResponseSchema, { header: host.header(revision) });
      }),
    ),
  ];
}
