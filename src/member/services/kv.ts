import { create } from '@bufbuild/protobuf';
import {
  CompactionResponseSchema,
  type DeleteRangeResponse,
  KV,
  type PutResponse,
  type TxnRequest,
} from '../../api/gen/rpc_pb.ts';
import { isReadOnlyTxn } from '../../state/txn.ts';
import {
  validateDeleteRange,
  validatePut,
  validateRange,
  validateTxn,
} from '../../state/validate.ts';
import { type Route, type ServiceHost, unary } from './service.ts';
import { range, readTxn, withHeader, writeTxn } from './store.ts';

/**
 * etcd's KV service. Requests are checked before they are proposed, as etcd does: bad ones never
 * reach the log.
 */
export function kvService(host: ServiceHost): Route[] {
  return [
    unary(KV.method.range, async (request, context) => {
      validateRange(request);
      if (!request.serializable) await host.linearizable(context);
      return range(host, request, context);
    }),
    unary(KV.method.put, async (request, context) => {
      validatePut(request);
      const result = await host.propose({ case: 'put', value: request }, context);
      return withHeader(result.response as PutResponse, host.header(result.revision));
    }),
    unary(KV.method.deleteRange, async (request, context) => {
      validateDeleteRange(request);
      const result = await host.propose({ case: 'deleteRange', value: request }, context);
      return withHeader(result.response as DeleteRangeResponse, host.header(result.revision));
    }),
    unary(KV.method.txn, async (request, context) => {
      validateTxn(request, host.settings.txnOpsMax);
      if (isReadOnlyTxn(request)) {
        if (!isSerializableTxn(request)) await host.linearizable(context);
        return readTxn(host, request, context);
      }
      return writeTxn(host, request, context);
    }),
    unary(KV.method.compact, async (request, context) => {
      const result = await host.propose({ case: 'compaction', value: request }, context);
      if (request.physical) await host.compacted();
      return create(CompactionResponseSchema, { header: host.header(result.revision) });
    }),
  ];
}

/**
 * Whether every read in it asked for this member's own state. One that only compares did not ask:
 * it is linearizable (etcd takes it for serializable, and may then compare with stale keys).
 */
function isSerializableTxn({ success, failure }: TxnRequest): boolean {
  const operations = [...success, ...failure];
  const serializable = operations.every(
    ({ request }) => request.case === 'requestRange' && request.value.serializable,
  );
  return operations.length > 0 && serializable;
}
