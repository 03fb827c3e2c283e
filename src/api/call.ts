/**
 * What the gateway and a member say to each other: RPC methods of the Durable Object. Strings in
 * and out, because a Request that is forwarded costs three times an RPC with a string. The member
 * decodes and encodes the JSON, so that there is one codec pass, in the object.
 */

/** What a request's headers say, beside its body. */
export interface CallContext {
  /** null: no token was sent. An empty one was sent and is wrong, as in etcd. */
  readonly token: string | null;
  /** From Grpc-Timeout; null: the server's own deadline only. Zero or less has passed already. */
  readonly timeoutMs: number | null;
  /** Grpc-Metadata-Hasleader: fail at once when there is no leader. */
  readonly requireLeader: boolean;
}

export interface CallReply {
  readonly status: number;
  readonly body: string;
  /** The leader's member name as this member knows it: a routing hint, nothing more. */
  readonly leader: string | null;
  /** Nothing was done, not even proposed: another member may be tried. */
  readonly retry: boolean;
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
  /**
   * "/version", "/metrics", "/health", "/livez", "/readyz" and "/readyz/<check>"; the query without
   * "?".
   */
  inspect(path: string, query: string): Promise<PlainReply>;
  /** Messages of a peer (CBOR), answered by messages (CBOR). */
  raft(body: ArrayBuffer): Promise<ArrayBuffer>;
  /** The same over a WebSocket: a request with an Upgrade header, answered by 101. */
  fetch(request: Request): Promise<Response>;
}
