import type { CallContext } from '../api/call.ts';
import { Code, EtcdError } from '../api/error.ts';
import { grpcTimeoutMs } from '../api/grpc_timeout.ts';

const BEARER = /^bearer /i;

/** What the headers say about a call. @throws EtcdError for a malformed Grpc-Timeout */
export function callContext(headers: Headers): CallContext {
  return {
    token: tokenOf(headers),
    timeoutMs: timeoutOf(headers.get('grpc-timeout')),
    requireLeader: headers.get('grpc-metadata-hasleader') === 'true',
  };
}

/**
 * etcd looks for the metadata `token` first and `authorization` second. The header Authorization
 * holds the token as it is; the scheme `Bearer` is taken off, as etcd does since 3.5.32.
 */
function tokenOf(headers: Headers): string | null {
  const token = headers.get('grpc-metadata-token');
  if (token !== null) return token;
  const authorization = headers.get('authorization') ?? headers.get('grpc-metadata-authorization');
  return authorization === null ? null : authorization.replace(BEARER, '');
}

/**
 * The same of a request by which a page opens a WebSocket or a stream of events: it can set no
 * headers of its own. The token may come as the second of two protocols (`Bearer, <token>`) or as a
 * cookie, as etcd's proxy for WebSockets takes it.
 */
export function pageContext(request: Request, mayUseCookie: boolean): CallContext {
  const context = callContext(request.headers);
  if (context.token !== null) return context;
  const protocols = request.headers.get('sec-websocket-protocol') ?? '';
  const offered = /^\s*Bearer\s*,\s*([^\s,]+)/i.exec(protocols)?.[1];
  const cookies = mayUseCookie ? (request.headers.get('cookie') ?? '') : '';
  const cookie = /(?:^|;\s*)token=([^;\s]+)/.exec(cookies)?.[1];
  return { ...context, token: offered ?? cookie ?? null };
}

/** The call's own deadline; none when the header is absent, empty or zero, as in grpc-gateway. */
function timeoutOf(header: string | null): number | null {
  if (header === null || header === '') return null;
  const timeoutMs = grpcTimeoutMs(header, /^[+-]?\d{1,19}$/);
  if (timeoutMs === null) {
    throw new EtcdError(Code.invalidArgument, `invalid grpc-timeout: ${header}`);
  }
  return timeoutMs === 0 ? null : timeoutMs;
}
