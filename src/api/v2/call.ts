import type { KeysRefusal, KeysRequest } from './keys_request.ts';

/** What the gateway and a member say to each other about the v2 API. */

/** HTTP Basic, as far as it could be read. */
export type BasicCredentials =
  /** There is no such header: a guest. */
  null | 'malformed' | { readonly user: string; readonly password: string };

/** A request that waits for events of keys. */
export interface KeysWait {
  readonly request: KeysRequest;
  readonly credentials: BasicCredentials;
  /** A discovery token is in the path: whoever knows it may wait there, whoever that is. */
  readonly byToken?: true;
}

/** What the discovery service is asked. */
export interface DiscoveryRequest {
  /** A request about the token's directory, or what is in it; the path is the one of keys. */
  readonly keys: KeysRequest | KeysRefusal;
  readonly target: DiscoveryTarget;
  /** How long a token lives. */
  readonly ttlSeconds: number;
}

/** A part of the directory of a token. */
export interface DiscoveryTarget {
  readonly token: string;
  readonly part: 'directory' | 'size' | 'member';
}

/** A request beside those about keys. */
export interface V2AdminRequest {
  readonly method: string;
  /** Below the prefix: of /v2/members/ab, `ab`. */
  readonly rest: string;
  readonly contentType: string;
  readonly body: string;
}

export type V2Call =
  | { readonly kind: 'keys'; readonly request: KeysRequest | KeysRefusal }
  | { readonly kind: 'discovery'; readonly request: DiscoveryRequest }
  | { readonly kind: 'members'; readonly request: V2AdminRequest }
  | { readonly kind: 'auth'; readonly request: V2AdminRequest }
  | { readonly kind: 'machines' }
  /** Who asks at which origin: members that are reached only within a deployment are there too. */
  | { readonly kind: 'peers'; readonly origin: string }
  | { readonly kind: 'stats'; readonly of: 'self' | 'leader' | 'store' };

export interface V2Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** As in CallReply. */
  readonly leader: string | null;
  readonly retry: boolean;
}
