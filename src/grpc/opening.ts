import type { Socket } from 'node:net';
import { bridgeLimits } from '../config/bridge.ts';

/**
 * `etcdctl endpoint status --cluster` of etcd 3.4 sends a member's URL where HTTP/2 has the name of
 * a host (`:authority`). Go's server does not mind; Node's refuses every such request as malformed,
 * before anybody is asked. So the beginning of a connection is looked at, up to its first request,
 * and the slashes in that URL are made dashes: nobody reads the name.
 *
 * Go's clients send no request before they have the server's settings. So the first settings are
 * sent from here, and what acknowledges them is kept from Node, which has not sent any yet.
 */

const PREFACE_BYTES = 24;
const FRAME_HEADER_BYTES = 9;
const FrameType = { headers: 1, settings: 4 } as const;
const ACK = 1;
const EMPTY_SETTINGS = Uint8Array.of(0, 0, 0, FrameType.settings, 0, 0, 0, 0, 0);

/** How HPACK (RFC 7541) begins a new `:authority`: its place in the static table. */
const AUTHORITY = 0x41;

/** The beginnings of URLs, Huffman coded and plain, and the same with dashes for slashes. */
const PATCHES = [
  {
    bits: 41,
    from: [0x9d, 0x29, 0xae, 0xe3, 0x0c, 0x00],
    to: [0x9d, 0x29, 0xae, 0xe2, 0xcb, 0x00],
  },
  {
    bits: 46,
    from: [0x9d, 0x29, 0xad, 0x17, 0x18, 0x60],
    to: [0x9d, 0x29, 0xad, 0x17, 0x16, 0x58],
  },
  { bits: 56, from: [...Buffer.from('http://')], to: [...Buffer.from('http:--')] },
  { bits: 64, from: [...Buffer.from('https://')], to: [...Buffer.from('https:--')] },
] as const;

/** Watches over the beginning of a connection of HTTP/2, and hands it on. */
export function openHttp2(socket: Socket, open: (socket: Socket) => void): void {
  let received: Buffer = Buffer.alloc(0);
  let timer: NodeJS.Timeout | null = null;
  const handOver = (): void => {
    if (timer !== null) clearTimeout(timer);
    socket.off('data', look);
    socket.pause();
    socket.off('close', forget);
    if (received.length > 0) socket.unshift(received);
    received = Buffer.alloc(0);
    open(socket);
  };
  const forget = (): void => {
    if (timer !== null) clearTimeout(timer);
  };
  const look = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk]);
    const { ackAt, headersEnd } = survey(received);
    if (ackAt === null) {
      if (received.length > bridgeLimits.openingBytesMax) socket.destroy();
      return;
    }
    if (headersEnd !== null) {
      received = withoutAck(patched(received, headersEnd), ackAt);
      return handOver();
    }
    // It may be long until its first request.
    timer ??= setTimeout(() => {
      received = withoutAck(received, ackAt);
      handOver();
    }, bridgeLimits.openingMs);
  };
  socket.on('close', forget);
  socket.on('data', look);
  socket.write(EMPTY_SETTINGS);
}

/** Where the acknowledgement of our settings is, and where the first request's headers end. */
function survey(bytes: Buffer): { ackAt: number | null; headersEnd: number | null } {
  let ackAt: number | null = null;
  let headersEnd: number | null = null;
  for (let at = PREFACE_BYTES; at + FRAME_HEADER_BYTES <= bytes.length; ) {
    const end = at + FRAME_HEADER_BYTES + bytes.readUIntBE(at, 3);
    const isAck = bytes[at + 3] === FrameType.settings && ((bytes[at + 4] ?? 0) & ACK) !== 0;
    if (isAck) ackAt ??= at;
    if (bytes[at + 3] === FrameType.headers && end <= bytes.length) headersEnd ??= end;
    at = end;
  }
  return { ackAt, headersEnd };
}

function withoutAck(bytes: Buffer, ackAt: number): Buffer {
  const behind = bytes.subarray(ackAt + FRAME_HEADER_BYTES);
  return Buffer.concat([bytes.subarray(0, ackAt), behind]);
}

/** The same length: bits of a character are replaced by those of another that has as many. */
function patched(bytes: Buffer, end: number): Buffer {
  for (let at = PREFACE_BYTES; at < end; at++) {
    if (bytes[at] !== AUTHORITY) continue;
    const value = bytes.subarray(at + 2, end);
    const patch = PATCHES.find(({ bits, from }) => startsWith(value, from, bits));
    if (patch === undefined) continue;
    const copy = Buffer.from(bytes);
    const last = patch.to.length - 1;
    patch.to.forEach((byte, i) => {
      // Of the last byte only some bits are ours.
      const mask = i === last ? maskOf(patch.bits) : 0xff;
      copy[at + 2 + i] = (byte & mask) | ((value[i] ?? 0) & ~mask);
    });
    return copy;
  }
  return bytes;
}

function startsWith(value: Uint8Array, prefix: readonly number[], bits: number): boolean {
  return prefix.every((byte, i) => {
    const mask = i === prefix.length - 1 ? maskOf(bits) : 0xff;
    return ((value[i] ?? 0) & mask) === (byte & mask);
  });
}

/** The bits of the last byte that belong to so many bits. */
function maskOf(bits: number): number {
  return bits % 8 === 0 ? 0xff : (0xff << (8 - (bits % 8))) & 0xff;
}
