import { SocketLink } from './socket.ts';

/**
 * One way to a peer: bytes there, bytes back. Rejects when it is not certain that the peer
 * answered;
 * whether the request arrived is then unknown, which the core is built for.
 */
export interface PeerLink {
  exchange(body: Uint8Array): Promise<Uint8Array>;
}

/** The part of `fetch` that a link needs; a stub of a Durable Object has it too. */
export interface Fetcher {
  fetch(url: string, init: RequestInit): Promise<Response>;
}

export interface LinkLimits {
  /** How long an exchange may take. */
  readonly timeoutMs: number;
  /** A connection that was not used for so long is closed. */
  readonly idleMs: number;
  /** The member's timer. */
  readonly after: (callback: () => void, ms: number) => void;
}

export const PEER_PATH = '/raft';

/**
 * Peers in the same deployment: objects of one namespace. A new stub for each fetch, because a stub
 * that saw a reset repeats that error for ever.
 */
export function stubLink(stub: () => Fetcher, limits: LinkLimits): PeerLink {
  return link(stub, `http://member${PEER_PATH}`, {}, limits);
}

/** Peers in other deployments, by URL, with the secret that the members of a federation share. */
export function urlLink(
  fetcher: Fetcher,
  url: string,
  secret: string,
  limits: LinkLimits,
): PeerLink {
  const headers = { authorization: `Bearer ${secret}` };
  return link(() => fetcher, `${url.replace(/\/+$/, '')}${PEER_PATH}`, headers, limits);
}

function link(
  fetcher: () => Fetcher,
  url: string,
  headers: Record<string, string>,
  limits: LinkLimits,
): PeerLink {
  const single: PeerLink = {
    exchange: (body) => post(fetcher(), url, headers, body, limits.timeoutMs),
  };
  return new SocketLink(() => upgrade(fetcher(), url, headers), single, limits);
}

async function post(
  fetcher: Fetcher,
  url: string,
  headers: Record<string, string>,
  body: Uint8Array,
  timeoutMs: number,
): Promise<Uint8Array> {
  const response = await fetcher.fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/cbor', ...headers },
    body,
    signal: AbortSignal.timeout(timeoutMs),
  });
  // Read in any case: an unread body keeps one of the platform's few connections.
  const answer = new Uint8Array(await response.arrayBuffer());
  if (response.status !== 200) throw new Error(`the peer answered HTTP ${response.status}`);
  return answer;
}

async function upgrade(
  fetcher: Fetcher,
  url: string,
  headers: Record<string, string>,
): Promise<WebSocket> {
  const response = await fetcher.fetch(url, { headers: { upgrade: 'websocket', ...headers } });
  const { webSocket } = response;
  if (!webSocket) {
    await response.body?.cancel();
    throw new Error(`the peer answered HTTP ${response.status} instead of a WebSocket`);
  }
  webSocket.accept();
  return webSocket;
}
