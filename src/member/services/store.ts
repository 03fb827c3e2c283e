import type { CallContext } from '../../api/call.ts';
import type {
  RangeRequest,
  RangeResponse,
  ResponseHeader,
  TxnRequest,
  TxnResponse,
} from '../../api/gen/rpc_pb.ts';
import type { ServiceHost } from './service.ts';

/** The member that is asked. */
export type StoreHost = Pick<ServiceHost, 'propose' | 'machine' | 'caller' | 'header'>;

/** An answer about the store always has one. */
type WithHeader<T> = T & { readonly header: ResponseHeader };

/**
 * A transaction that writes, on behalf of whoever called, as the reads below: locks and elections
 * are clients of the store.
 * @throws EtcdError
 */
export async function writeTxn(
  host: StoreHost,
  request: TxnRequest,
  context: CallContext,
): Promise<WithHeader<TxnResponse>> {
  const result = await host.propose({ case: 'txn', value: request }, context);
  return withHeader(result.response as TxnResponse, host.header(result.revision));
}

/** One that does not, on this member's state as it is now. @throws EtcdError */
export function readTxn(
  host: StoreHost,
  request: TxnRequest,
  context: CallContext,
): WithHeader<TxnResponse> {
  const response = host.machine.readTxn(request, host.caller(context));
  return withHeader(response, host.header(host.machine.revision));
}

/** Keys in this member's state as it is now. @throws EtcdError */
export function range(
  host: StoreHost,
  request: RangeRequest,
  context: CallContext,
): WithHeader<RangeResponse> {
  const response = host.machine.range(request, host.caller(context));
  return withHeader(response, host.header(host.machine.revision));
}

/** An answer is made for its caller alone, so it is completed in place. */
export function withHeader<T extends { header?: ResponseHeader }>(
  response: T,
  header: ResponseHeader,
): WithHeader<T> {
  response.header = header;
  return response as WithHeader<T>;
}
