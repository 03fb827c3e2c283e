import type { Fetcher } from './channel.ts';
import type { OpenSocket } from './socket.ts';

/** Who calls: a user with a password, or a token that was had elsewhere. */
export interface AuthOptions {
  /** A user's name: a token is had for the password when it is needed. */
  readonly username?: string;
  /** The user's. */
  readonly password?: string;
  /** A token to begin with, or the only one. */
  readonly token?: string;
}

/** How a client reaches its cluster. */
export interface EtcdOptions {
  /**
   * URLs of members or of a deployment, one or several. They are tried in this order, and the one
   * that answered last is asked first. A session goes on at the leader, if it is one of them.
   */
  readonly endpoints?: string | readonly string[];
  /** A service binding to a deployment, instead of endpoints. */
  readonly binding?: Fetcher;
  /** By default nobody in particular calls. */
  readonly auth?: AuthOptions;
  /**
   * `fetch`, the default: a request for each call. `session`: one WebSocket for all calls, many in
   * a frame, for who makes many.
   */
  readonly transport?: 'fetch' | 'session';
  /** How long a call may take, tries included, unless it says so itself. 10 seconds by default. */
  readonly timeoutMs?: number;
  /** Calls fail at once while their member knows of no leader. */
  readonly requireLeader?: boolean;
  /** Instead of the platform's own. */
  readonly fetch?: Fetcher['fetch'];
  /** Opens a session's WebSocket, where the platform has none: `(url) => new WebSocket(url)`. */
  readonly webSocket?: OpenSocket;
}

/** What every call can be told. */
export interface CallOptions {
  /** Ends the call for its caller. What is under way may happen. */
  readonly signal?: AbortSignal | undefined;
  /** How long it may take, tries included. 0: as long as it takes. */
  readonly timeoutMs?: number | undefined;
}
