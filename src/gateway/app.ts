import { type Context, Hono } from 'hono';
import type { MemberRpc } from '../api/call.ts';
import { Code, EtcdError } from '../api/error.ts';
import { methodOf, waits } from '../api/methods.ts';
import { isRead } from '../api/reads.ts';
import { limits } from '../config.ts';
import { requireMetricsAccess } from './access.ts';
import { isLogged, logged } from './access_log.ts';
import { errorAnswer, methodAnswer, refusalAnswer } from './answer.ts';
import { type BodyBounds, readText } from './body.ts';
import { ConfigError } from './config_error.ts';
import { callContext, pageContext } from './context.ts';
import { mayUseCookie, restrictOrigins } from './cors.ts';
import { deliver, destinationOf, isToilsome } from './delivery.ts';
import type { GatewayEnv } from './env.ts';
import { watchRequestOf } from './event_query.ts';
import { showMembers } from './members.ts';
import { requestPath, requestQuery } from './path.ts';
import { exchange } from './peer.ts';
import { PLAIN_PATHS, plainAnswer, unreachableReply } from './plain.ts';
import { givenRequestId, REQUEST_ID_HEADER } from './request_id.ts';
import { type Site, siteCache } from './site.ts';
import { openSocket, openStream } from './streams.ts';
import { unrouted } from './unrouted.ts';
import { answerDiscovery, discoveryTarget } from './v2/discovery.ts';
import { answerV2 } from './v2/routes.ts';
import { answerWhenDone } from './waiting.ts';
import { answerWebRpc, isWebRpc, preflight } from './web_rpc.ts';
import { refusedHost } from './whitelist.ts';

type Bindings = { Bindings: GatewayEnv };

export interface GatewayOptions {
  /** How long a client may take to send its body. */
  readonly bodyTimeoutMs?: number;
}

export interface Gateway {
  fetch(request: Request, env: GatewayEnv, context?: ExecutionContext): Promise<Response>;
}

/**
 * etcd's client port as a Worker: it routes, bounds and forwards, and answers in etcd's words
 * what never reaches a member.
 */
export function createGateway(options: GatewayOptions = {}): Gateway {
  const timeoutMs = options.bodyTimeoutMs ?? limits.bodyTimeoutMs;
  const methodBody: BodyBounds = { bytesMax: limits.bodyBytesMax, timeoutMs };
  const peerBody: BodyBounds = { bytesMax: limits.peerBodyBytesMax, timeoutMs };
  const siteOf = siteCache();

  // One route per kind of request, and never two for the same: a single match is called directly,
  // without a chain. Which methods exist is the API's own table to say.
  const app = new Hono<Bindings>({ getPath: requestPath });
  app.post('/v3/*', (c) => method(c, siteOf(c.env), methodBody));
  app.get('/v3/*', (c) => page(c, siteOf(c.env)));
  app.on(['GET', 'POST'], '/raft', (c) => exchange(c.req.raw, siteOf(c.env), peerBody));
  app.all('/members', (c) => showMembers(c.req.raw, siteOf(c.env)));
  app.options('*', (c) => preflight(c.req.path));
  app.all('/v2/*', (c) => answerV2(c.req.raw, c.req.path, siteOf(c.env), methodBody));
  for (const path of PLAIN_PATHS) app.get(path, (c) => plain(c, siteOf(c.env)));
  app.post('/metrics', (c) => plain(c, siteOf(c.env)));
  app.notFound((c) => elsewhere(c, siteOf, methodBody));
  app.onError(failure);
  return {
    async fetch(request, env, context) {
      const startMs = Date.now();
      const refused = env.ETCD_HOST_WHITELIST && refusedHost(request, env.ETCD_HOST_WHITELIST);
      const response = refused || (await app.fetch(request, env, context));
      if (env.ETCD_CORS) restrictOrigins(response, request.headers.get('origin'), env.ETCD_CORS);
      const requestId = givenRequestId(request.headers);
      if (isLogged(env, request, response.status)) {
        return logged(request, response, requestId ?? crypto.randomUUID(), startMs);
      }
      if (requestId !== null) response.headers.set(REQUEST_ID_HEADER, requestId);
      return response;
    },
  };
}

/** One method of the v3 API: read, deliver, answer. */
async function method(c: Context<Bindings>, site: Site, bounds: BodyBounds): Promise<Response> {
  const request = c.req.raw;
  const path = c.req.path;
  const called = methodOf(path);
  if (called === undefined || isOverridden(request)) return unrouted(request, path);
  const context = callContext(request.headers);
  const body = await readText(request, bounds);
  if (called.kind !== 'unary') {
    return openStream(request, site, { delivery: 'stream', path, body, context });
  }
  if (waits(path)) return answerWhenDone(request, site, { path, body, context });
  const destination = destinationOf(request, isRead(path), isToilsome(path));
  const reply = await deliver(site.cluster, destination, (member) =>
    member.call(path, body, context),
  );
  return reply.retry ? refusalAnswer(reply) : methodAnswer(reply.status, reply.body);
}

/**
 * What has no route of its own, which would cost all others a look: calls by gRPC's name of a
 * method, and tokens of the discovery service, which the public one had at the root.
 */
async function elsewhere(
  c: Context<Bindings>,
  siteOf: (env: GatewayEnv) => Site,
  bounds: BodyBounds,
): Promise<Response> {
  const request = c.req.raw;
  const path = c.req.path;
  if (request.method === 'POST' && isWebRpc(path)) {
    const answer = await answerWebRpc(request, path, siteOf(c.env), bounds);
    if (answer !== null) return answer;
  }
  const target = discoveryTarget(path);
  const site = target === null ? null : siteOf(c.env);
  if (target === null || !site?.settings.discovery) return unrouted(request, path);
  return answerDiscovery(request, target, site, bounds);
}

/** What pages ask for by GET: a WebSocket on any method, or a watch as server-sent events. */
async function page(c: Context<Bindings>, site: Site): Promise<Response> {
  const request = c.req.raw;
  const path = c.req.path;
  const isSocket = request.headers.get('upgrade')?.toLowerCase() === 'websocket';
  const accepted = request.headers.get('accept') ?? '';
  const isEvents = path === '/v3/watch' && accepted.includes('text/event-stream');
  // The router takes HEAD for GET.
  if (request.method === 'HEAD' || !(isSocket || isEvents)) return unrouted(request, path);
  const context = pageContext(request, mayUseCookie(request, c.env.ETCD_CORS));
  if (isSocket) return openSocket(request, site, path, context);
  const body = watchRequestOf(requestQuery(request), request.headers.get('last-event-id'));
  return openStream(request, site, { delivery: 'events', path, body, context });
}

/**
 * A form whose header asks for another HTTP method: grpc-gateway obeys, and only POST is served.
 */
function isOverridden(request: Request): boolean {
  const override = request.headers.get('x-http-method-override');
  if (!override || override.toUpperCase() === 'POST') return false;
  return request.headers.get('content-type') === 'application/x-www-form-urlencoded';
}

/** Version, health and metrics. Health is answered by closed deployments too, and in any case. */
async function plain(c: Context<Bindings>, site: Site): Promise<Response> {
  const request = c.req.raw;
  const path = c.req.path;
  // The router takes HEAD for GET; etcd does so for the metrics alone.
  if (request.method === 'HEAD' && path !== '/metrics') return unrouted(request, path);
  if (path === '/metrics') requireMetricsAccess(site.settings, request.headers);
  const query = requestQuery(request);
  const ask = async (member: MemberRpc) => ({
    ...(await member.inspect(path, query)),
    leader: null,
    retry: false,
  });
  try {
    return plainAnswer(path, await deliver(site.cluster, destinationOf(request, true), ask));
  } catch (error) {
    if (!(error instanceof EtcdError) || error.code !== Code.unavailable) throw error;
    return plainAnswer(path, unreachableReply(path, error.message));
  }
}

/** Everything that was thrown on the way, as an answer. */
function failure(error: Error): Response {
  if (error instanceof EtcdError) return errorAnswer(error);
  // Only the operator can mend a configuration, and looks here first: the text may be shown.
  if (error instanceof ConfigError) return errorAnswer(new EtcdError(Code.internal, error.message));
  console.error(error);
  return errorAnswer(EtcdError.of('internal'));
}
