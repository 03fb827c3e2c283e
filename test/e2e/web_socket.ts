import WebSocket from 'ws';
import type { SocketLike } from '../../src/client/index.ts';

/** Node has a WebSocket of its own from version 22 on. */
export function openWebSocket(url: string): SocketLike {
  return new WebSocket(url, { perMessageDeflate: false }) as unknown as SocketLike;
}
