import type { CallContext } from '../../api/call.ts';
import type { EtcdError } from '../../api/error.ts';
import { jsonString } from '../../api/json-text.ts';
import { V2AuthError } from '../../api/v2/auth_error.ts';
import type { V2Reply } from '../../api/v2/call.ts';
import { insufficientCredentials } from '../../api/v2/denied.ts';
import { encodeV2Error, V2Error } from '../../api/v2/error.ts';
import type { MemberId } from '../../raft/message.ts';

/** v2 has no tokens and no deadlines of its own. */
export const V2_CONTEXT: CallContext = { token: null, timeoutMs: null, requireLeader: false };

/** An answer of v2, without what the member knows of its cluster. */
export interface V2Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Go's http.Error. */
export function v2Text(status: number, text: string, headers = {}): V2Answer {
  const type = { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' };
  return { status, headers: { ...headers, ...type }, body: `${text}\n` };
}

export function v2Json(status: number, headers: Record<string, string>, body: string): V2Answer {
  return { status, headers: { ...headers, 'Content-Type': 'application/json' }, body };
}

/** Ids as etcd prints them: hexadecimal, without zeros in front. */
export function v2Id(id: MemberId): string {
  return id.replace(/^0+(?=.)/, '');
}

export function clusterHeader(clusterId: string): Record<string, string> {
  return { 'X-Etcd-Cluster-Id': v2Id(clusterId) };
}

/** A failure of a request about keys. What is not about keys is told as etcd's Raft error. */
export function keysError(error: EtcdError, clusterId: string): V2Answer {
  const told = error instanceof V2Error ? error : new V2Error(300, error.message, 0);
  const headers = { ...clusterHeader(clusterId), 'X-Etcd-Index': String(told.index) };
  return v2Json(told.status, headers, encodeV2Error(told));
}

/** A failure of any other request. */
export function adminError(error: EtcdError, headers: Record<string, string>): V2Answer {
  if (error instanceof V2AuthError) return message(error.status, error.message, headers);
  if (error instanceof V2Error && error.errorCode === 110) return denied();
  return message(500, error.message, headers);
}

/** A refusal in words of etcd's. */
export function message(status: number, text: string, headers: Record<string, string>): V2Answer {
  return v2Json(status, headers, `{"message":${jsonString(text)}}`);
}

/** Without the cluster's id, as etcd: it is asked before anything else. */
export function denied(): V2Answer {
  return message(401, insufficientCredentials().reason, {});
}

/** The answer of a member that does not take part, or that failed. @param retry nothing was done */
export function unavailable(reason: string, retry = true): V2Reply {
  const headers = { 'Content-Type': 'application/json', 'X-Etcd-Index': '0' };
  const body = encodeV2Error(new V2Error(300, `etcdserver: ${reason}`, 0));
  return { status: 500, headers, body, leader: null, retry };
}
