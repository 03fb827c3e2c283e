import type { CallContext } from './call.ts';

/**
 * What the gateway and a member say to each other when one answer of text will not do: the gateway
 * makes the request, with a path and headers of its own, so that nothing from outside reaches them,
 * and the member's Response is passed on.
 */

/**
 * How the frames of a stream travel: `stream` as lines of JSON, `events` as server-sent events,
 * `socket` over a WebSocket. `wait` is a unary method that answers when something has happened.
 */
export type Delivery = 'stream' | 'events' | 'socket' | 'wait';

const DELIVERIES: readonly Delivery[] = ['stream', 'events', 'socket', 'wait'];

const CONTEXT_HEADER = 'x-edgetcd-context';
const LEADER_HEADER = 'x-edgetcd-leader';
const RETRY_HEADER = 'x-edgetcd-retry';

/** The header by which a refusal says that nothing was done, not even proposed. */
export const NOTHING_DONE = [RETRY_HEADER, '1'] as const;

export interface StreamCall {
  readonly delivery: Delivery;
  /** Of the gateway: `/v3/watch`. */
  readonly path: string;
  readonly context: CallContext;
}

/** The request that brings a call to a member. */
export function encodeStreamCall(call: StreamCall, init: RequestInit): Request {
  const headers = new Headers(init.headers);
  // A token may hold what no header may.
  headers.set(CONTEXT_HEADER, encodeURIComponent(JSON.stringify(call.context)));
  // Of a socket the path may be anything that begins with /v3/.
  const path = encodeURIComponent(call.path);
  return new Request(`http://member/${call.delivery}/${path}`, { ...init, headers });
}

/** The call that a request brings; null: it is none. */
export function decodeStreamCall(request: Request): StreamCall | null {
  const { pathname } = new URL(request.url);
  const delivery = DELIVERIES.find((each) => pathname.startsWith(`/${each}/`));
  const context = request.headers.get(CONTEXT_HEADER);
  if (delivery === undefined || context === null) return null;
  const path = decodeURIComponent(pathname.slice(delivery.length + 2));
  return { delivery, path, context: JSON.parse(decodeURIComponent(context)) as CallContext };
}

/** What a member adds to its Response for the gateway: see CallReply. */
export interface StreamHints {
  readonly leader: string | null;
  readonly retry: boolean;
}

export function encodeHints({ leader, retry }: StreamHints): Record<string, string> {
  const headers: Record<string, string> = {};
  if (leader !== null) headers[LEADER_HEADER] = encodeURIComponent(leader);
  if (retry) headers[RETRY_HEADER] = '1';
  return headers;
}

export function decodeHints(headers: Headers): StreamHints {
  const leader = headers.get(LEADER_HEADER);
  return {
    leader: leader === null ? null : decodeURIComponent(leader),
    retry: headers.get(RETRY_HEADER) !== null,
  };
}
