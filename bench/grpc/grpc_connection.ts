import { connect, type Socket } from 'node:net';
import { must } from '../../src/lib/assert.ts';
import type { Tally } from '../connection.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const Type = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, windowUpdate: 8 } as const;
const FRAME_HEADER_BYTES = 9;
const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;
/** Nobody waits for us: as much as may be had. */
const WINDOW_BYTES = 0x7fff0000;
/** SETTINGS_HEADER_TABLE_SIZE and SETTINGS_INITIAL_WINDOW_SIZE. */
const SETTINGS = Buffer.from([0, 1, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0, 0]);
/** A server that refuses connections is not asked thousands of times a second. */
const RECONNECT_MS = 50;

/**
 * One closed loop of puts by gRPC on a connection of its own: HTTP/2 by hand, because a client's
 * library costs more than the servers that it is to load. An answer with a message is a success; an
 * error comes without one.
 */
export class GrpcConnection {
  readonly #url: URL;
  /** Messages with gRPC's prefix of five bytes. */
  readonly #messages: readonly Buffer[];
  readonly #headers: Buffer;
  readonly #tally: Tally;
  #next: number;
  #streamId = 1;
  #socket: Socket | null = null;
  #received: Buffer = Buffer.alloc(0);
  #sentMs = 0;
  #hasMessage = false;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(url: URL, messages: readonly Buffer[], first: number, tally: Tally) {
    this.#url = url;
    this.#messages = messages;
    this.#next = first % messages.length;
    this.#tally = tally;
    this.#headers = requestHeaders('/etcdserverpb.KV/Put', url.host);
  }

  start(): void {
    const socket = connect({ host: this.#url.hostname, port: Number(this.#url.port || 80) });
    socket.setNoDelay(true);
    socket.on('connect', () => {
      const window = Buffer.alloc(4);
      window.writeUInt32BE(WINDOW_BYTES);
      const opening = [PREFACE, frame(Type.settings, 0, 0, SETTINGS)];
      socket.write(Buffer.concat([...opening, frame(Type.windowUpdate, 0, 0, window)]));
      this.#send();
    });
    socket.on('data', (chunk) => this.#receive(chunk));
    // What it says comes again as 'close'.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#lost());
    this.#received = Buffer.alloc(0);
    this.#streamId = 1;
    this.#socket = socket;
  }

  /** The request under way counts as neither done nor failed. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#socket?.destroy();
  }

  #send(): void {
    const message = must(this.#messages[this.#next], 'a prepared message');
    this.#next = (this.#next + 1) % this.#messages.length;
    const id = this.#streamId;
    this.#streamId += 2;
    this.#hasMessage = false;
    this.#sentMs = performance.now();
    const headers = frame(Type.headers, END_HEADERS, id, this.#headers);
    this.#socket?.write(Buffer.concat([headers, frame(Type.data, END_STREAM, id, message)]));
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    let at = 0;
    while (this.#received.length - at >= FRAME_HEADER_BYTES) {
      const end = at + FRAME_HEADER_BYTES + this.#received.readUIntBE(at, 3);
      if (this.#received.length < end) break;
      this.#frame(this.#received.subarray(at, end));
      at = end;
    }
    this.#received = this.#received.subarray(at);
  }

  #frame(bytes: Buffer): void {
    const [type, flags = 0] = [bytes[3], bytes[4]];
    const payload = bytes.subarray(FRAME_HEADER_BYTES);
    if (type === Type.settings && (flags & ACK) === 0) {
      this.#socket?.write(frame(Type.settings, ACK, 0, Buffer.alloc(0)));
    } else if (type === Type.ping && (flags & ACK) === 0) {
      this.#socket?.write(frame(Type.ping, ACK, 0, payload));
    } else if (type === Type.data) this.#hasMessage = true;
    const isStream = type === Type.headers || type === Type.data;
    if (type === Type.reset || (isStream && (flags & END_STREAM) !== 0)) this.#answered();
  }

  #answered(): void {
    if (this.#stopped) return;
    this.#tally.latencies.record((performance.now() - this.#sentMs) * 1_000);
    if (this.#hasMessage) this.#tally.requests++;
    else this.#tally.errors++;
    this.#send();
  }

  #lost(): void {
    if (this.#stopped) return;
    this.#tally.errors++;
    this.#retry = setTimeout(() => this.start(), RECONNECT_MS);
  }
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  payload.copy(bytes, FRAME_HEADER_BYTES);
  return bytes;
}

/** HPACK (RFC 7541) without its tables, but for `:method: POST` and `:scheme: http`. */
function requestHeaders(path: string, authority: string): Buffer {
  const short = (text: string): Buffer => Buffer.from([text.length, ...Buffer.from(text)]);
  const named = (index: number, value: string) => Buffer.concat([Buffer.of(index), short(value)]);
  const literal = (name: string, value: string) =>
    Buffer.concat([Buffer.of(0), short(name), short(value)]);
  return Buffer.concat([
    Buffer.of(0x83, 0x86),
    named(4, path),
    named(1, authority),
    literal('content-type', 'application/grpc'),
    literal('te', 'trailers'),
  ]);
}
