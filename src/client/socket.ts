import type { Fetcher } from './channel.ts';
import { connectionLost } from './error.ts';

/** The events of a WebSocket, as far as a session looks at them. */
export interface SocketEvent {
  /** Of a message. */
  readonly data?: unknown;
  /** Of a close. */
  readonly code?: number;
  /** Of a close. */
  readonly reason?: string;
  /** Of an error. */
  readonly message?: string;
}

/** A WebSocket: the platform's own, or one that is made to look like it. */
export interface SocketLike {
  /** Set to `arraybuffer`. */
  binaryType?: string;
  /** 1: it is open already. */
  readonly readyState?: number;
  /** Sends a message. */
  send(data: Uint8Array | string): void;
  /** Ends the connection. */
  close(code?: number, reason?: string): void;
  /** Tells of what happens to it. */
  addEventListener(
    type: 'open' | 'message' | 'close' | 'error',
    listener: (event: SocketEvent) => void,
  ): void;
}

/** Opens a WebSocket; null: where the platform has none. */
export type OpenSocket = (url: string) => SocketLike | Promise<SocketLike>;

/** By the platform's own WebSocket, which Node has from version 22 on. */
export const openPlatformSocket: OpenSocket = (url) => {
  const { WebSocket } = globalThis as { WebSocket?: new (url: string) => unknown };
  if (WebSocket === undefined) {
    throw new TypeError('there is no WebSocket here: give one as the option webSocket');
  }
  return new WebSocket(url) as SocketLike;
};

/** Through a binding: the upgrade is a request, and its response has the socket. */
export function socketOpenerOf(fetcher: Fetcher): OpenSocket {
  return async (url) => {
    const response = await fetcher.fetch(url, { headers: { upgrade: 'websocket' } });
    const { webSocket } = response as { webSocket?: (SocketLike & { accept(): void }) | null };
    if (webSocket === undefined || webSocket === null) {
      const text = await response.text();
      throw connectionLost(false, new Error(`${response.status} ${text.slice(0, 200)}`));
    }
    webSocket.accept();
    return webSocket;
  };
}
