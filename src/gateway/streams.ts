import type { CallContext, MemberRpc } from '../api/call.ts';
import { SESSION_PATH } from '../api/session-methods.ts';
import { type Delivery, decodeHints, encodeStreamCall } from '../api/stream-call.ts';
import { CORS_HEADERS } from './cors.ts';
import { type Destination, deliver, destinationOf } from './delivery.ts';
import type { Site } from './site.ts';

/** What a member's Response says, and the Response. */
interface StreamReply {
  readonly leader: string | null;
  readonly retry: boolean;
  readonly response: Response;
}

/** A stream goes where reads go, and to another member only if nothing of it was sent. */
export async function openStream(
  request: Request,
  site: Site,
  call: {
    readonly delivery: 'stream' | 'events';
    readonly path: string;
    readonly body: string;
    readonly context: CallContext;
  },
): Promise<Response> {
  const { delivery, path, body, context } = call;
  // The signal tells the member that its client is gone; where the platform does not say so, the
  // member finds out by itself.
  const init = { method: 'POST', body, signal: request.signal };
  const ask = (member: MemberRpc) =>
    askForStream(member, encodeStreamCall({ delivery, path, context }, init));
  const destination = destinationOf(request, true);
  const { response } = await deliver(site.cluster, destination, ask);
  return new Response(response.body, {
    status: response.status,
    headers: headersOf(response, delivery),
  });
}

/** A WebSocket on a path of the v3 API. The member accepts it, and says there what is wrong. */
export async function openSocket(
  request: Request,
  site: Site,
  path: string,
  context: CallContext,
): Promise<Response> {
  const init = { headers: { upgrade: 'websocket' } };
  const ask = (member: MemberRpc) =>
    askForStream(member, encodeStreamCall({ delivery: 'socket', path, context }, init));
  const { response } = await deliver(site.cluster, socketDestination(request, path), ask);
  const { webSocket } = response;
  if (!webSocket) {
    const refused = { status: response.status, headers: headersOf(response, 'socket') };
    return new Response(response.body, refused);
  }
  const headers = new Headers(CORS_HEADERS);
  // A browser insists on one of the protocols that its page has named; the other is a token.
  if (request.headers.has('sec-websocket-protocol')) {
    headers.set('Sec-WebSocket-Protocol', 'Bearer');
  }
  return new Response(null, { status: 101, webSocket, headers });
}

/** Streams go where reads go. A session has writes too, which are shortest where the leader is. */
function socketDestination(request: Request, path: string): Destination {
  const destination = destinationOf(request, true);
  return path === SESSION_PATH ? { ...destination, continent: undefined } : destination;
}

async function askForStream(member: MemberRpc, call: Request): Promise<StreamReply> {
  const response = await member.fetch(call);
  const { leader, retry } = decodeHints(response.headers);
  if (!retry) return { leader, retry, response };
  // It may be thrown away for another member's: an unread body would keep a connection.
  const { status } = response;
  const headers = { 'Content-Type': 'application/json' };
  return { leader, retry, response: new Response(await response.text(), { status, headers }) };
}

/** Those of a stream that has begun, or of its refusal. */
function headersOf(response: Response, delivery: Delivery): Headers {
  const type = response.headers.get('content-type') ?? 'application/json';
  if (response.status !== 200) return new Headers({ ...CORS_HEADERS, 'Content-Type': type });
  const headers = openEndedHeaders();
  headers.set('Content-Type', type);
  if (delivery === 'events') headers.delete('Grpc-Metadata-Content-Type');
  return headers;
}

/** etcd's headers of an answer that goes on, and two that keep proxies from holding it back. */
export function openEndedHeaders(): Headers {
  return new Headers({
    ...CORS_HEADERS,
    'Content-Type': 'application/json',
    'Grpc-Metadata-Content-Type': 'application/grpc',
    'Cache-Control': 'no-store, no-transform',
    'X-Accel-Buffering': 'no',
  });
}
