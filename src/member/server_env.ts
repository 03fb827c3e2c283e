import type { PeerNamespace } from './peering.ts';
import type { MemberEnv } from './settings.ts';

/** What the deployment gives its members: variables, and the ways to others. */
export interface ServerEnv extends MemberEnv {
  /** The namespace of members: the way to those of the same deployment. */
  readonly MEMBER: PeerNamespace;
  /** DNS as the process around the object knows it, asked as if over HTTPS. */
  readonly RESOLVER?: Fetcher;
}
