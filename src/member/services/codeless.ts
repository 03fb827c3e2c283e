import { Code, EtcdError } from '../../api/error.ts';

/** Those that do not come from the store, but from the call itself. */
const KEPT: readonly Code[] = [Code.canceled, Code.deadlineExceeded, Code.resourceExhausted];

/**
 * The errors of locks and elections as they arrive with etcd: it runs them as clients of the store,
 * and what the store says loses its code on the way.
 */
export async function withoutCode<T>(serve: () => Promise<T>): Promise<T> {
  try {
    return await serve();
  } catch (error) {
    throw error instanceof EtcdError ? codeless(error) : error;
  }
}

export function codeless(error: EtcdError): EtcdError {
  return KEPT.includes(error.code) ? error : error.withCode(Code.unknown);
}
