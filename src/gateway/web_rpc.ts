import type { CallContext, CallReply } from '../api/call.ts';
import { Code, EtcdError } from '../api/error.ts';
import { METHODS, type Method, waits } from '../api/methods.ts';
import { isRead } from '../api/reads.ts';
import { binaryOfJson, jsonOfBinary } from '../api/transcode.ts';
import { textOf, utf8 } from '../lib/bytes.ts';
import { type BodyBounds, readBuffer } from './body.ts';
import { callContext } from './context.ts';
import { CORS_HEADERS } from './cors.ts';
import { deliver, destinationOf, isToilsome } from './delivery.ts';
import type { Site } from './site.ts';
import { askWaiting } from './waiting.ts';
import { type WebProtocol, webProtocolOf } from './web_protocol.ts';

const byName: ReadonlyMap<string, Method> = new Map(
  METHODS.toReversed().map((method) => [`/${method.service}/${method.name}`, method]),
);

/** Beside what pages may send anyway: what Connect's and gRPC-Web's clients say of a call. */
const WEB_RPC_HEADERS = {
  ...CORS_HEADERS,
  'Access-Control-Allow-Headers':
    `${CORS_HEADERS['Access-Control-Allow-Headers']}, connect-protocol-version, ` +
    'connect-timeout-ms, grpc-timeout, x-grpc-web, x-user-agent, token, hasleader',
  'Access-Control-Expose-Headers': 'grpc-status, grpc-message',
};

/** Whether a path names a method as gRPC does. */
export function isWebRpc(path: string): boolean {
  return byName.has(path);
}

/** What a browser asks before it lets a page call. */
export function preflight(path: string): Response {
  return new Response(null, { headers: isWebRpc(path) ? WEB_RPC_HEADERS : CORS_HEADERS });
}

/**
 * A unary call of Connect or gRPC-Web (docs/GRPC.md): these need neither HTTP/2 nor trailers, so
 * that a Worker can serve them. The member is asked as by the gateway.
 * @returns null when it is neither's, by its content type
 */
export async function answerWebRpc(
  request: Request,
  path: string,
  site: Site,
  bounds: BodyBounds,
): Promise<Response | null> {
  const method = byName.get(path);
  const protocol = webProtocolOf(request.headers.get('content-type') ?? '');
  if (method === undefined || protocol === null) return null;
  const headers = { ...WEB_RPC_HEADERS, 'Content-Type': protocol.contentType };
  try {
    const answer = await call(request, method, protocol, { site, bounds });
    return new Response(protocol.success(answer), { headers });
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    const { status, contentType, body } = protocol.failure(error);
    return new Response(body, { status, headers: { ...headers, 'Content-Type': contentType } });
  }
}

/** @returns the answer's message in the protocol's encoding. @throws EtcdError */
async function call(
  request: Request,
  method: Method,
  protocol: WebProtocol,
  { site, bounds }: { readonly site: Site; readonly bounds: BodyBounds },
): Promise<Uint8Array> {
  if (method.kind !== 'unary') {
    const words = `${method.name} is a stream: POST ${method.path}, or a session, has it`;
    throw new EtcdError(Code.unimplemented, words);
  }
  if ((request.headers.get('content-encoding') ?? 'identity') !== 'identity') {
    throw new EtcdError(Code.unimplemented, 'a compressed request is not taken');
  }
  const bytes = protocol.message(new Uint8Array(await readBuffer(request, bounds)));
  const body = protocol.isJson ? textOf(bytes) : jsonOfBinary(method.input, bytes);
  const context = contextOf(request.headers);
  const reply = await ask(request, site, { path: method.path, body, context });
  if (reply.status !== 200) throw errorOf(reply);
  return protocol.isJson ? utf8(reply.body) : binaryOfJson(method.output, reply.body);
}

function ask(
  request: Request,
  site: Site,
  { path, body, context }: { path: string; body: string; context: CallContext },
): Promise<CallReply> {
  const destination = destinationOf(request, isRead(path), isToilsome(path));
  return deliver(site.cluster, destination, (member) =>
    waits(path)
      ? askWaiting(member, { path, body, context }, request.signal)
      : member.call(path, body, context),
  );
}

/** Metadata have their own names here, without the gateway's prefix. */
function contextOf(headers: Headers): CallContext {
  const context = callContext(headers);
  const timeoutMs = headers.get('connect-timeout-ms');
  if (timeoutMs !== null && !/^\d{1,10}$/.test(timeoutMs)) {
    throw new EtcdError(Code.invalidArgument, `invalid connect-timeout-ms: ${timeoutMs}`);
  }
  return {
    token: headers.get('token') ?? context.token,
    timeoutMs: timeoutMs === null ? context.timeoutMs : Number(timeoutMs),
    requireLeader: context.requireLeader || headers.get('hasleader') === 'true',
  };
}

/** The gateway's error, which the member has encoded. */
function errorOf({ body }: CallReply): EtcdError {
  const { code, message } = JSON.parse(body) as { code: number; message: string };
  return EtcdError.told(code, message);
}
