import type { Caller } from './caller.ts';
import type { EtcdError } from './error.ts';
import type { BasicCredentials, V2Call, V2Reply } from './v2/call.ts';

/**
 * What the gateway and a member say to each other: RPC methods of the Durable Object. Strings in
 * and out, because a Request that is forwarded costs three times an RPC with a string. The member
 * decodes and encodes the JSON, so that there is one codec pass, in the object.
 */

/** What the member that was asked has found a token to stand for. */
export type Credential =
  /** A token that the state knows by its digest: looked at again whenever it counts. */
  | { readonly kind: 'kept'; readonly digest: Uint8Array; readonly index: number }
  /** A name that was vouched for once, by a signature or by another member. */
  | { readonly kind: 'vouched'; readonly caller: Caller; readonly expiresMs: number }
  /** It is good for nothing. */
  | { readonly kind: 'refused'; readonly error: EtcdError };

/** What a request's headers say, beside its body. */
export interface CallContext {
  /** null: no token was sent. An empty one was sent and is wrong, as in etcd. */
  readonly token: string | null;
  /** From Grpc-Timeout; null: the server's own deadline only. Zero or less has passed already. */
  readonly timeoutMs: number | null;
  /** Grpc-Metadata-Hasleader: fail at once when there is no leader. */
  readonly requireLeader: boolean;
  /** Only the member that was asked sets it, while authentication is on and there is a token. */
  readonly credential?: Credential;
}

/** A member of this deployment, for the gateway to find it. */
export interface MemberHint {
  readonly name: string;
  readonly isLearner: boolean;
  /** Where its object is to be made; null: wherever the platform likes. */
  readonly location: string | null;
}

export interface CallReply {
  readonly status: number;
  readonly body: string;
  /** The leader's member name as this member knows it: a routing hint, nothing more. */
  readonly leader: string | null;
  /** Nothing was done, not even proposed: another member may be tried. */
  readonly retry: boolean;
  /** Who the members are, once they are others than those with whom the cluster began. */
  readonly members?: readonly MemberHint[];
}

/** An answer of an endpoint that is not a method. */
export interface PlainReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/**
 * A member as the gateway sees it. No method throws by itself: what a caller catches is the
 * platform's word that the object could not be reached or was lost on the way.
 */
export interface MemberRpc {
  /** One unary gateway method: a path such as "/v3/kv/put" and the body as text. */
  call(path: string, body: string, context: CallContext): Promise<CallReply>;
  /** A request of the v2 API, but for those that wait: they are streams. */
  v2(call: V2Call, credentials: BasicCredentials): Promise<V2Reply>;
  /**
   * "/version", "/metrics", "/health", "/livez", "/readyz" and "/readyz/<check>"; the query without
   * "?". And "/members", for the gateway itself: a list of {@link MemberHint} in JSON.
   */
  inspect(path: string, query: string): Promise<PlainReply>;
  /** Messages of a peer (CBOR), answered by messages (CBOR). */
  raft(body: ArrayBuffer): Promise<ArrayBuffer>;
  /** The same over a WebSocket: a request with an Upgrade header, answered by 101. */
  fetch(request: Request): Promise<Response>;
}
