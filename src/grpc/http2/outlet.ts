import type { Socket } from 'node:net';
import { bridgeLimits } from '../../config/bridge.ts';
import {
  ConnectionError,
  ErrorCode,
  encodeFrame,
  Flag,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  FrameType,
  INITIAL_WINDOW_BYTES,
  WINDOW_BYTES_MAX,
  writeFrameHead,
} from './frame.ts';

/**
 * What leaves on a connection. Frames of one turn of the event loop leave in one write; data waits
 * for the windows that the client has given, and for the socket.
 */
export class Outlet {
  readonly #socket: Socket;
  readonly #unread: () => void;
  #frames: Buffer[] = [];
  #framesBytes = 0;
  #windowBytes = INITIAL_WINDOW_BYTES;
  /** Streams that have more than they may send, the longest waiting first. */
  readonly #waiting = new Set<StreamOutlet>();
  /** For a new stream, and for a frame: what the client has said. */
  streamWindowBytes = INITIAL_WINDOW_BYTES;
  frameBytesMax = FRAME_BYTES_MAX;

  /** @param unread called when the client goes on asking, and reads no answers */
  constructor(socket: Socket, unread: () => void) {
    this.#socket = socket;
    this.#unread = unread;
    socket.on('drain', () => this.#resume());
  }

  /** What may be sent now. */
  get roomBytes(): number {
    const unsentBytes = this.#socket.writableLength + this.#framesBytes;
    return unsentBytes > bridgeLimits.socketBytes ? 0 : this.#windowBytes;
  }

  write(frame: Buffer): void {
    if (this.#frames.push(frame) === 1) process.nextTick(() => this.#flush());
    this.#framesBytes += frame.length;
    const unsentBytes = this.#socket.writableLength + this.#framesBytes;
    if (unsentBytes > bridgeLimits.unreadBytesMax) this.#unread();
  }

  /** Data that is about to be written. */
  take(bytes: number): void {
    this.#windowBytes -= bytes;
  }

  /** The client has room for more. @throws ConnectionError */
  grant(bytes: number): void {
    this.#windowBytes += bytes;
    if (this.#windowBytes > WINDOW_BYTES_MAX) {
      throw new ConnectionError(ErrorCode.flowControlError, 'the window is too large');
    }
    this.#resume();
  }

  wait(stream: StreamOutlet): void {
    this.#waiting.add(stream);
  }

  forget(stream: StreamOutlet): void {
    this.#waiting.delete(stream);
  }

  /** The last frames, before the socket is closed. */
  finish(frame: Buffer): void {
    this.#frames.push(frame);
    this.#flush();
  }

  #flush(): void {
    const [first] = this.#frames;
    if (first === undefined) return;
    const bytes = this.#frames.length === 1 ? first : Buffer.concat(this.#frames);
    this.#frames = [];
    this.#framesBytes = 0;
    this.#socket.write(bytes);
  }

  #resume(): void {
    for (const stream of [...this.#waiting]) {
      if (this.roomBytes <= 0) return;
      // What it cannot send yet waits behind the others.
      this.#waiting.delete(stream);
      stream.resume();
    }
  }
}

interface Chunk {
  readonly bytes: Buffer;
  at: number;
  readonly written: (() => void) | null;
}

/** What leaves on one stream. */
export class StreamOutlet {
  readonly #outlet: Outlet;
  readonly #id: number;
  readonly #ended: () => void;
  #windowBytes: number;
  #chunks: Chunk[] = [];
  /** The block that ends it, once everything before it has left. */
  #trailers: Buffer | null = null;
  #over = false;

  /** @param ended called when its end was written */
  constructor(outlet: Outlet, id: number, ended: () => void) {
    this.#outlet = outlet;
    this.#id = id;
    this.#ended = ended;
    this.#windowBytes = outlet.streamWindowBytes;
  }

  headers(block: Buffer): void {
    if (this.#over) return;
    this.#outlet.write(encodeFrame(FrameType.headers, Flag.endHeaders, this.#id, block));
  }

  /** @param written called when the last of it has left */
  data(bytes: Buffer, written: (() => void) | null): void {
    if (this.#over) return;
    this.#chunks.push({ bytes, at: 0, written });
    if (this.#chunks.length === 1) this.resume();
  }

  end(trailers: Buffer): void {
    if (this.#over) return;
    this.#trailers = trailers;
    if (this.#chunks.length === 0) this.#end(trailers);
  }

  /** A whole answer. Where it may be sent at once it is one piece of memory. */
  answer(head: Buffer, body: Buffer, trailers: Buffer): void {
    if (this.#over) return;
    const room = Math.min(this.#windowBytes, this.#outlet.roomBytes, this.#outlet.frameBytesMax);
    if (body.length > room || this.#chunks.length > 0) {
      this.headers(head);
      this.data(body, null);
      return this.end(trailers);
    }
    this.#outlet.take(body.length);
    const length = head.length + body.length + trailers.length + 3 * FRAME_HEADER_BYTES;
    const frames = Buffer.allocUnsafe(length);
    const { headers, data } = FrameType;
    let at = this.#put(frames, 0, { payload: head, type: headers, flags: Flag.endHeaders });
    at = this.#put(frames, at, { payload: body, type: data, flags: 0 });
    const flags = Flag.endHeaders | Flag.endStream;
    this.#put(frames, at, { payload: trailers, type: headers, flags });
    this.#outlet.write(frames);
    this.close();
    this.#ended();
  }

  /** What has not begun to leave never will. */
  discard(): void {
    const [first] = this.#chunks;
    this.#chunks = first === undefined || first.at === 0 ? [] : [first];
  }

  /** Nothing leaves any more. */
  close(): void {
    this.#over = true;
    this.#chunks = [];
    this.#outlet.forget(this);
  }

  /** The client has room for more, or for less. @throws ConnectionError */
  grant(bytes: number): void {
    this.#windowBytes += bytes;
    if (this.#windowBytes > WINDOW_BYTES_MAX) {
      throw new ConnectionError(ErrorCode.flowControlError, 'the window is too large');
    }
    if (bytes > 0) this.resume();
  }

  /** Sends as much as may be sent. */
  resume(): void {
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      const left = chunk.bytes.length - chunk.at;
      const room = Math.min(this.#windowBytes, this.#outlet.roomBytes, this.#outlet.frameBytesMax);
      if (room <= 0) return this.#outlet.wait(this);
      const size = Math.min(left, room);
      const payload = chunk.bytes.subarray(chunk.at, chunk.at + size);
      this.#windowBytes -= size;
      this.#outlet.take(size);
      chunk.at += size;
      this.#outlet.write(encodeFrame(FrameType.data, 0, this.#id, payload));
      if (size < left) continue;
      this.#chunks.shift();
      chunk.written?.();
    }
    if (this.#trailers !== null && !this.#over) this.#end(this.#trailers);
  }

  #end(trailers: Buffer): void {
    const flags = Flag.endHeaders | Flag.endStream;
    this.#outlet.write(encodeFrame(FrameType.headers, flags, this.#id, trailers));
    this.close();
    this.#ended();
  }

  #put(
    into: Buffer,
    at: number,
    frame: { readonly payload: Buffer; readonly type: number; readonly flags: number },
  ): number {
    const { payload, type, flags } = frame;
    const head = { length: payload.length, type, flags, stream: this.#id };
    const begin = writeFrameHead(into, at, head);
    into.set(payload, begin);
    return begin + payload.length;
  }
}
