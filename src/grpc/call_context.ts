import type { CallContext } from '../api/call.ts';
import type { ServerCall } from './server_call.ts';

/** What a call's metadata and deadline say, under the names that etcd's clients use. */
export function callContext({ headers, timeoutMs }: ServerCall): CallContext {
  return {
    token: headers.get('token') ?? headers.get('authorization') ?? null,
    timeoutMs,
    requireLeader: headers.get('hasleader') === 'true',
  };
}
