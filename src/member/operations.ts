import type { TxnResponse } from '../api/gen/rpc_pb.ts';

/** What a transaction did, nested ones included, as etcd counts it. */
export interface Operations {
  puts: number;
  deletes: number;
  ranges: number;
}

/** The operations of the branches that were taken. */
export function countOperations(response: TxnResponse): Operations {
  const operations: Operations = { puts: 0, deletes: 0, ranges: 0 };
  count(response, operations);
  return operations;
}

function count({ responses }: TxnResponse, into: Operations): void {
  for (const { response } of responses) {
    if (response.case === 'responsePut') into.puts++;
    else if (response.case === 'responseDeleteRange') into.deletes++;
    else if (response.case === 'responseRange') into.ranges++;
    else if (response.case === 'responseTxn') count(response.value, into);
  }
}
