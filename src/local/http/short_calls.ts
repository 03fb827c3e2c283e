import type {
  DeleteRangeRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from '../../api/gen/rpc_pb.ts';

/** Operations of a transaction: more of them have more to answer than is worth looking at. */
const OPERATIONS_MAX = 8;

/**
 * Whether a request has an answer of a few keys at most. Longer ones would make what shares their
 * connection wait.
 */
export function isShort(message: { readonly $typeName: string }): boolean {
  switch (message.$typeName) {
    case 'etcdserverpb.PutRequest':
      return true;
    case 'etcdserverpb.RangeRequest':
    case 'etcdserverpb.DeleteRangeRequest':
      return (message as RangeRequest | DeleteRangeRequest).rangeEnd.length === 0;
    case 'etcdserverpb.TxnRequest': {
      const { success, failure } = message as TxnRequest;
      return areShort(success) && areShort(failure);
    }
    default:
      return false;
  }
}

/** Transactions inside of transactions are left out: they may hold any number. */
function areShort(operations: readonly RequestOp[]): boolean {
  if (operations.length > OPERATIONS_MAX) return false;
  return operations.every(({ request }) => {
    return request.value !== undefined && request.case !== 'requestTxn' && isShort(request.value);
  });
}
