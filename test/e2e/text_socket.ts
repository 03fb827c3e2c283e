import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import type { Socket } from 'node:net';

/** RFC 6455: a text frame that is a whole message, from a client, and so masked. */
const TEXT_FRAME = 0x81;
const MASKED = 0x80;
/** Lengths that are told in two bytes and in eight. */
const MEDIUM = 126;
const LONG = 127;

/**
 * A WebSocket for text messages, on a connection of its own: Miniflare's own client sits
 * behind a proxy that keeps objects awake.
 */
export class TextSocket {
  readonly messages: string[] = [];
  readonly #socket: Socket;
  #unread = Buffer.alloc(0);

  constructor(socket: Socket, head: Buffer) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    this.#received(head);
  }

  send(text: string): void {
    const payload = Buffer.from(text);
    const mask = randomBytes(4);
    const isLong = payload.length > 0xffff;
    const head = Buffer.alloc(isLong ? 10 : 4);
    head.writeUInt16BE((TEXT_FRAME << 8) | MASKED | (isLong ? LONG : MEDIUM));
    if (isLong) head.writeBigUInt64BE(BigInt(payload.length), 2);
    else head.writeUInt16BE(payload.length, 2);
    const masked = payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0));
    this.#socket.write(Buffer.concat([head, mask, masked]));
  }

  close(): void {
    this.#socket.destroy();
  }

  #received(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk]);
    for (let end = this.#frameEnd(); end !== null; end = this.#frameEnd()) {
      const frame = this.#unread.subarray(0, end.frame);
      this.#unread = this.#unread.subarray(end.frame);
      if (frame[0] === TEXT_FRAME) this.messages.push(frame.subarray(end.head).toString());
    }
  }

  /** Where the head of the next frame ends, and the frame; null: it is not all there. */
  #frameEnd(): { head: number; frame: number } | null {
    if (this.#unread.length < 2) return null;
    const short = this.#unread.readUInt8(1);
    const head = short === MEDIUM ? 4 : short === LONG ? 10 : 2;
    if (this.#unread.length < head) return null;
    let length = short;
    if (short === MEDIUM) length = this.#unread.readUInt16BE(2);
    if (short === LONG) length = Number(this.#unread.readBigUInt64BE(2));
    return this.#unread.length < head + length ? null : { head, frame: head + length };
  }
}

export function openTextSocket(port: number, path: string): Promise<TextSocket> {
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
  };
  return new Promise((resolve, reject) => {
    const opening = request({ host: '127.0.0.1', port, path, headers });
    opening.on('upgrade', (_response, socket, head) => resolve(new TextSocket(socket, head)));
    opening.on('response', ({ statusCode }) => reject(new Error(`HTTP ${statusCode}`)));
    opening.on('error', reject);
    opening.end();
  });
}
