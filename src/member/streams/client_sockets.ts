import { SESSION_PATH } from '../../api/session-methods.ts';
import type { StreamCall } from '../../api/stream-call.ts';
import { limits } from '../../config.ts';
import { Session } from '../session/session.ts';
import {
  type Attachment,
  ClientSocket,
  type SocketClient,
  type SocketService,
} from './client_socket.ts';
import { CloseCode } from './socket_outlet.ts';

/** The part of the object's state that hibernation needs. */
export interface Hibernation {
  acceptWebSocket(socket: WebSocket, tags?: string[]): void;
  getWebSockets(tag?: string): WebSocket[];
}

/** Tells clients' sockets from others that the object may accept one day. */
const TAG = 'client';

/**
 * The clients' WebSockets of a member. The platform holds them while the object sleeps or is
 * replaced: what their sessions need to go on is attached to them.
 */
export class ClientSockets {
  readonly #platform: Hibernation;
  readonly #sockets = new Map<WebSocket, SocketClient>();
  readonly #dirty = new Set<SocketClient>();
  #saving: ReturnType<typeof setTimeout> | null = null;
  #service: SocketService | null = null;

  /** Finds the sockets that an earlier instance has left; they go on at `start`. */
  constructor(platform: Hibernation) {
    this.#platform = platform;
    for (const socket of platform.getWebSockets(TAG)) {
      const attached = attachmentOf(socket);
      if (attached === null) socket.close(CloseCode.serviceRestart, 'etcdserver: server stopped');
      else this.#keep(socket, attached.path, attached.context);
    }
  }

  /** The member runs. */
  start(service: SocketService): void {
    this.#service = service;
    for (const [socket, client] of this.#sockets) client.start(service, attachmentOf(socket));
  }

  /** The member stops. Streams have said so to their clients; what has none is closed here. */
  stop(): void {
    this.#service = null;
    this.#dirty.clear();
    const clients = [...this.#sockets.values()];
    this.#sockets.clear();
    for (const client of clients) client.stop();
  }

  /** A client's connection, for one method. */
  accept({ path, context }: StreamCall): Response {
    const { 0: theirs, 1: ours } = new WebSocketPair();
    this.#platform.acceptWebSocket(ours, [TAG]);
    const client = this.#keep(ours, path, context);
    ours.serializeAttachment(client.provisional());
    if (this.#service !== null) client.start(this.#service, null);
    return new Response(null, { status: 101, webSocket: theirs });
  }

  received(socket: WebSocket, data: string | ArrayBuffer): void {
    this.#sockets.get(socket)?.receive(data);
  }

  /** @param code what the client closed with; null: its connection broke, and nobody hears us */
  closed(socket: WebSocket, code: number | null): void {
    if (code !== null) answerClose(socket, code);
    const client = this.#sockets.get(socket);
    if (!client) return;
    this.#sockets.delete(socket);
    this.#dirty.delete(client);
    client.closed();
  }

  #keep(socket: WebSocket, path: string, context: StreamCall['context']): SocketClient {
    const changed = () => this.#changed(client);
    const client: SocketClient =
      path === SESSION_PATH
        ? new Session(socket, context, changed)
        : new ClientSocket(socket, path, context, changed);
    this.#sockets.set(socket, client);
    return client;
  }

  /**
   * What is attached counts as outdated at once, and is written anew after a while: no instance
   * may go on from an older state, and a busy stream is not saved for every frame. The platform
   * lets nobody sleep whose timer is set.
   */
  #changed(client: SocketClient): void {
    if (this.#dirty.has(client)) return;
    this.#dirty.add(client);
    attach(client, client.provisional());
    this.#saving ??= setTimeout(() => this.#save(), limits.socketSaveMs);
  }

  #save(): void {
    this.#saving = null;
    const dirty = [...this.#dirty];
    this.#dirty.clear();
    for (const client of dirty) attach(client, client.attachment());
  }
}

/**
 * A session that does not fit, or a socket that is closed, keeps its provisional attachment: such a
 * stream ends on waking, with a reason to come back for.
 */
function attach(client: SocketClient, attachment: Attachment): void {
  try {
    client.socket.serializeAttachment(attachment);
  } catch {
    // Only that: the attachment before it stays.
  }
}

/**
 * The platform leaves a hibernating socket's half of the closing handshake to us, and a client
 * waits for it with its connection open. Codes that only say how it was closed may not be sent.
 */
function answerClose(socket: WebSocket, code: number): void {
  const isSendable = code === CloseCode.normal || (code >= 3000 && code <= 4999);
  try {
    socket.close(isSendable ? code : CloseCode.normal, '');
  } catch {
    // It was we who closed it.
  }
}

function attachmentOf(socket: WebSocket): Attachment | null {
  return socket.deserializeAttachment() as Attachment | null;
}
