import type { Metadata } from '@grpc/grpc-js';
import type { CallContext } from '../api/call.ts';

/** What a call's metadata and deadline say, under the names that etcd's clients use. */
export function callContext(metadata: Metadata, deadline: Date | number): CallContext {
  return {
    token: first(metadata, 'token') ?? first(metadata, 'authorization'),
    timeoutMs: timeoutOf(deadline),
    requireLeader: first(metadata, 'hasleader') === 'true',
  };
}

function first(metadata: Metadata, name: string): string | null {
  const [value] = metadata.get(name);
  return value === undefined ? null : String(value);
}

/** Without a deadline the library says infinity. */
function timeoutOf(deadline: Date | number): number | null {
  const atMs = Number(deadline);
  return Number.isFinite(atMs) ? Math.max(1, atMs - Date.now()) : null;
}
