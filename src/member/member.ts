import { DurableObject } from 'cloudflare:workers';
import type { CallContext, CallReply, MemberRpc, PlainReply } from '../api/call.ts';
import { decodeStreamCall } from '../api/stream-call.ts';
import type { BasicCredentials, V2Call, V2Reply } from '../api/v2/call.ts';
import { PEER_PATH } from '../transport/peer.ts';
import { serveSocket } from '../transport/socket.ts';
import { Server } from './server.ts';
import type { ServerEnv } from './server_env.ts';
import { steadyClock } from './system.ts';

/**
 * A member of the cluster as a Durable Object. It adds nothing to {@link Server} but the platform's
 * ways in: RPC from the gateway, fetch from members of the same deployment, alarms.
 */
export class EtcdMember extends DurableObject<ServerEnv> implements MemberRpc {
  readonly #server: Server;

  constructor(ctx: DurableObjectState, env: ServerEnv) {
    super(ctx, env);
    this.#server = new Server(ctx, env, steadyClock());
    // Answered by the platform, so that a client can ask whether anybody is there, asleep or not.
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
    void ctx.blockConcurrencyWhile(() => this.#server.open());
  }

  call(path: string, body: string, context: CallContext): Promise<CallReply> {
    return this.#server.call(path, body, context);
  }

  v2(call: V2Call, credentials: BasicCredentials): Promise<V2Reply> {
    return this.#server.v2(call, credentials);
  }

  inspect(path: string, query: string): Promise<PlainReply> {
    return this.#server.inspect(path, query);
  }

  async raft(body: ArrayBuffer): Promise<ArrayBuffer> {
    const answer = await this.#server.raft(new Uint8Array(body));
    return answer.buffer as ArrayBuffer;
  }

  /**
   * What takes longer than one call: clients' streams, which the gateway sends here, and members.
   * Those of the same deployment come by stub, others through the gateway's authenticated route.
   */
  override async fetch(request: Request): Promise<Response> {
    if (new URL(request.url).pathname === PEER_PATH) return this.#exchange(request);
    const call = decodeStreamCall(request);
    if (call === null) return new Response('Not Found\n', { status: 404 });
    return this.#server.stream(request, call);
  }

  /**
   * A chunk of the state that the member's cluster is to begin with, null after the last. Whoever
   * prepares databases calls it; nothing that comes from outside leads here.
   */
  async restore(chunk: Uint8Array | null): Promise<string | null> {
    return this.#server.restore(chunk);
  }

  /** A client's WebSocket, which the platform holds while the object sleeps. */
  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    this.#server.meter.metrics.edge.streamFrames.inc();
    this.#server.received(socket, message);
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    this.#server.streams.closed(socket, code);
  }

  override webSocketError(socket: WebSocket): void {
    this.#server.streams.closed(socket, null);
  }

  async #exchange(request: Request): Promise<Response> {
    if (request.headers.get('upgrade') === 'websocket') return this.#upgrade();
    if (request.method !== 'POST') return new Response('Method Not Allowed\n', { status: 405 });
    const answer = await this.#server.raft(new Uint8Array(await request.arrayBuffer()));
    return new Response(answer, { headers: { 'content-type': 'application/cbor' } });
  }

  /** A peer's connection: frames come and go on it as they do by POST. */
  #upgrade(): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    serveSocket(server, (body) => this.#server.raft(body, 'socket'));
    return new Response(null, { status: 101, webSocket: client });
  }

  override alarm(): Promise<void> {
    return this.#server.alarm();
  }
}
