import type { Socket } from 'node:net';
import { bridgeLimits } from '../../config/bridge.ts';
import {
  ConnectionError,
  checkLength,
  ErrorCode,
  encodeFrame,
  encodeSettings,
  Flag,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  FrameType,
  INITIAL_WINDOW_BYTES,
  PREFACE,
  protocolError,
  Setting,
  uint32,
  WINDOW_BYTES_MAX,
  withoutPadding,
} from './frame.ts';
import { type Headers, HpackDecoder, HpackError } from './hpack.ts';
import { Outlet, StreamOutlet } from './outlet.ts';

/** Who takes in a request. */
export interface StreamReceiver {
  /** @param isLast nothing follows */
  data(bytes: Buffer, isLast: boolean): void;
  /** The client does not want it any more, or is gone. Not called once the answer has ended. */
  closed(): void;
}

/** A request's stream, as who answers it has it. */
export interface ServerStream {
  readonly out: StreamOutlet;
  /** Bytes of a message that is not whole are kept, or are not any more. */
  keep(bytes: number): void;
}

interface Stream extends ServerStream {
  readonly id: number;
  receiver: StreamReceiver | null;
  /** What the client may still send, before it is told that there is room. */
  windowBytes: number;
  keptBytes: number;
  /** The client has sent all. */
  ended: boolean;
}

/** A block of headers whose continuation is awaited. */
interface OpenBlock {
  readonly id: number;
  readonly ends: boolean;
  readonly parts: Buffer[];
  bytes: number;
}

/**
 * The server's end of a connection of HTTP/2 (RFC 9113), as far as gRPC needs it: no push, no
 * priorities, no trailers from clients. Node's own takes four times the processor's time.
 */
export class Http2Connection {
  readonly #socket: Socket;
  readonly #accept: (stream: ServerStream, headers: Headers) => StreamReceiver;
  readonly #outlet: Outlet;
  readonly #hpack = new HpackDecoder(bridgeLimits.headersBytesMax);
  readonly #streams = new Map<number, Stream>();
  /** What has arrived of a frame that is not whole. */
  #rest: Buffer | null = null;
  #state: 'preface' | 'settings' | 'open' | 'over' = 'preface';
  #lastId = 0;
  #block: OpenBlock | null = null;
  #windowBytes: number = bridgeLimits.connectionWindowBytes;
  #keptBytes = 0;
  /** How many streams the client may still reset, as of when. */
  #resets: number = bridgeLimits.resetsBurst;
  #resetsMs = Date.now();

  /** @param accept called for each request; its headers are looked at by nobody before */
  constructor(socket: Socket, accept: (stream: ServerStream, headers: Headers) => StreamReceiver) {
    this.#socket = socket;
    this.#accept = accept;
    this.#outlet = new Outlet(socket, () =>
      this.#fail(new ConnectionError(CALM, 'nothing is read')),
    );
    socket.setKeepAlive(true, bridgeLimits.keepAliveMs);
    socket.on('data', (chunk: Buffer) => this.#guarded(() => this.#received(chunk)));
    socket.on('end', () => socket.end());
    socket.on('close', () => this.#over());
    socket.on('error', () => undefined);
    this.#guarded(() => this.#greet());
    socket.resume();
  }

  /** Streams that are not over. */
  get streamCount(): number {
    return this.#streams.size;
  }

  get #isOver(): boolean {
    return this.#state === 'over';
  }

  #greet(): void {
    const settings = encodeSettings([
      [Setting.maxConcurrentStreams, bridgeLimits.streamsPerConnectionMax],
      [Setting.initialWindowSize, bridgeLimits.streamWindowBytes],
      [Setting.maxHeaderListSize, bridgeLimits.headersBytesMax],
    ]);
    const more = bridgeLimits.connectionWindowBytes - INITIAL_WINDOW_BYTES;
    this.#outlet.write(settings);
    this.#outlet.write(encodeFrame(FrameType.windowUpdate, 0, 0, uint32(more)));
  }

  #guarded(work: () => void): void {
    if (this.#state === 'over') return;
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The client is told what it did wrong. */
  #fail(error: unknown): void {
    if (this.#state === 'over') return;
    let code: ErrorCode = ErrorCode.internalError;
    if (error instanceof ConnectionError) code = error.code;
    else if (error instanceof HpackError) code = ErrorCode.compressionError;
    const words = Buffer.from(error instanceof Error ? error.message : 'internal error');
    const payload = Buffer.concat([uint32(this.#lastId), uint32(code), words]);
    this.#over();
    this.#outlet.finish(encodeFrame(FrameType.goAway, 0, 0, payload));
    this.#socket.destroySoon();
    // Who reads nothing does not read that either.
    setTimeout(() => this.#socket.destroy(), bridgeLimits.goodbyeMs).unref();
  }

  #over(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#rest = null;
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const { out, receiver } of streams) {
      out.close();
      receiver?.closed();
    }
  }

  #received(chunk: Buffer): void {
    let bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    if (this.#state === 'preface') {
      if (!PREFACE.subarray(0, bytes.length).equals(bytes.subarray(0, PREFACE.length))) {
        throw new ConnectionError(ErrorCode.protocolError, 'that is not HTTP/2');
      }
      if (bytes.length < PREFACE.length) {
        this.#rest = bytes;
        return;
      }
      this.#state = 'settings';
      bytes = bytes.subarray(PREFACE.length);
    }
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER_BYTES && !this.#isOver) {
      const length = bytes.readUIntBE(at, 3);
      if (length > FRAME_BYTES_MAX) {
        throw new ConnectionError(ErrorCode.frameSizeError, 'a frame is too large');
      }
      const end = at + FRAME_HEADER_BYTES + length;
      if (end > bytes.length) break;
      const id = bytes.readUInt32BE(at + 5) & 0x7fffffff;
      const payload = bytes.subarray(at + FRAME_HEADER_BYTES, end);
      this.#frame(bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, id, payload);
      at = end;
    }
    this.#rest = at < bytes.length ? bytes.subarray(at) : null;
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    if (this.#state === 'settings' && type !== FrameType.settings) protocolError('no settings');
    if (this.#block !== null && type !== FrameType.continuation) protocolError('half a request');
    switch (type) {
      case FrameType.data:
        return this.#data(flags, id, payload);
      case FrameType.headers:
        return this.#headers(flags, id, payload);
      case FrameType.continuation:
        return this.#continuation(flags, id, payload);
      case FrameType.reset:
        return this.#reset(id, payload);
      case FrameType.settings:
        return this.#settings(flags, id, payload);
      case FrameType.ping:
        return this.#ping(flags, id, payload);
      case FrameType.windowUpdate:
        return this.#windowUpdate(id, payload);
      case FrameType.pushPromise:
        return protocolError('clients push nothing');
      case FrameType.priority:
        checkLength(payload, 5);
        return;
      default:
      // What is not known is passed over; a client that says goodbye closes by itself.
    }
  }

  #data(flags: number, id: number, payload: Buffer): void {
    if (id === 0 || id > this.#lastId) protocolError('data of no request');
    const stream = this.#streams.get(id);
    this.#windowBytes -= payload.length;
    if (stream !== undefined) stream.windowBytes -= payload.length;
    if (this.#windowBytes < 0 || (stream !== undefined && stream.windowBytes < 0)) {
      throw new ConnectionError(ErrorCode.flowControlError, 'more data than there is room for');
    }
    this.#makeRoom(stream);
    // Of one that was answered or given up meanwhile.
    if (stream === undefined) return;
    if (stream.ended) return this.#give(stream, ErrorCode.streamClosed);
    const isLast = (flags & Flag.endStream) !== 0;
    stream.ended = isLast;
    stream.receiver?.data(withoutPadding(flags, payload), isLast);
  }

  /** What was received is taken in at once: messages that are not whole are counted elsewhere. */
  #makeRoom(stream: Stream | undefined): void {
    const { connectionWindowBytes, streamWindowBytes } = bridgeLimits;
    if (this.#windowBytes < connectionWindowBytes / 2) {
      const more = uint32(connectionWindowBytes - this.#windowBytes);
      this.#windowBytes = connectionWindowBytes;
      this.#outlet.write(encodeFrame(FrameType.windowUpdate, 0, 0, more));
    }
    if (stream === undefined || stream.windowBytes >= streamWindowBytes / 2) return;
    const more = uint32(streamWindowBytes - stream.windowBytes);
    stream.windowBytes = streamWindowBytes;
    this.#outlet.write(encodeFrame(FrameType.windowUpdate, 0, stream.id, more));
  }

  #headers(flags: number, id: number, payload: Buffer): void {
    if (id % 2 === 0) protocolError('a request has an odd number');
    let fragment = withoutPadding(flags, payload);
    if ((flags & Flag.priority) !== 0) {
      if (fragment.length < 5) protocolError('a priority is cut short');
      fragment = fragment.subarray(5);
    }
    const ends = (flags & Flag.endStream) !== 0;
    if ((flags & Flag.endHeaders) !== 0) return this.#request(id, ends, fragment);
    this.#block = { id, ends, parts: [fragment], bytes: fragment.length };
  }

  #continuation(flags: number, id: number, payload: Buffer): void {
    const block = this.#block;
    if (block === null || block.id !== id) return protocolError('a continuation of nothing');
    block.parts.push(payload);
    // An empty one costs something too.
    block.bytes += payload.length + FRAME_HEADER_BYTES;
    if (block.bytes > bridgeLimits.headersBytesMax) {
      throw new ConnectionError(CALM, 'the headers are too large');
    }
    if ((flags & Flag.endHeaders) === 0) return;
    this.#block = null;
    this.#request(id, block.ends, Buffer.concat(block.parts));
  }

  #request(id: number, ends: boolean, block: Buffer): void {
    // Whatever becomes of it: blocks build on each other.
    const headers = this.#hpack.decode(block);
    if (id <= this.#lastId) return this.#trailers(id, ends);
    this.#lastId = id;
    if (this.#streams.size >= bridgeLimits.streamsPerConnectionMax) {
      return this.#writeReset(id, ErrorCode.refusedStream);
    }
    const stream: Stream = {
      id,
      out: new StreamOutlet(this.#outlet, id, () => this.#answered(stream)),
      receiver: null,
      windowBytes: bridgeLimits.streamWindowBytes,
      keptBytes: 0,
      ended: ends,
      keep: (bytes) => this.#keep(stream, bytes),
    };
    this.#streams.set(id, stream);
    stream.receiver = this.#accept(stream, headers);
    if (ends) stream.receiver.data(NOTHING, true);
  }

  /** Clients of gRPC send none, but may. */
  #trailers(id: number, ends: boolean): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (stream.ended || !ends) return this.#give(stream, ErrorCode.protocolError);
    stream.ended = true;
    stream.receiver?.data(NOTHING, true);
  }

  #reset(id: number, payload: Buffer): void {
    checkLength(payload, 4);
    if (id === 0 || id > this.#lastId) protocolError('a reset of no request');
    this.#countReset();
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#forget(stream);
    stream.out.close();
    stream.receiver?.closed();
  }

  /** Requests that are withdrawn at once cost us more than their client. */
  #countReset(): void {
    const { resetsBurst, resetsPerSecond } = bridgeLimits;
    const nowMs = Date.now();
    const earned = ((nowMs - this.#resetsMs) / 1_000) * resetsPerSecond;
    this.#resetsMs = nowMs;
    this.#resets = Math.min(resetsBurst, this.#resets + earned) - 1;
    if (this.#resets >= 0) return;
    throw new ConnectionError(CALM, 'too many requests are withdrawn');
  }

  #settings(flags: number, id: number, payload: Buffer): void {
    if (id !== 0) protocolError('settings of a stream');
    if (this.#state === 'settings') this.#state = 'open';
    if ((flags & Flag.ack) !== 0) return checkLength(payload, 0);
    if (payload.length % 6 !== 0) checkLength(payload, 6);
    for (let at = 0; at < payload.length; at += 6) {
      this.#set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    }
    this.#outlet.write(encodeFrame(FrameType.settings, Flag.ack, 0, NOTHING));
  }

  #set(setting: number, value: number): void {
    if (setting === Setting.initialWindowSize) {
      if (value > WINDOW_BYTES_MAX) {
        throw new ConnectionError(ErrorCode.flowControlError, 'the window is too large');
      }
      const change = value - this.#outlet.streamWindowBytes;
      this.#outlet.streamWindowBytes = value;
      for (const { out } of this.#streams.values()) out.grant(change);
    } else if (setting === Setting.maxFrameSize) {
      if (value < FRAME_BYTES_MAX || value >= 2 ** 24) protocolError('frames of no size');
      this.#outlet.frameBytesMax = Math.min(value, bridgeLimits.sentFrameBytesMax);
    }
  }

  #ping(flags: number, id: number, payload: Buffer): void {
    if (id !== 0) protocolError('a ping of a stream');
    checkLength(payload, 8);
    if ((flags & Flag.ack) === 0) {
      this.#outlet.write(encodeFrame(FrameType.ping, Flag.ack, 0, payload));
    }
  }

  #windowUpdate(id: number, payload: Buffer): void {
    checkLength(payload, 4);
    if (id > this.#lastId) protocolError('room for no request');
    const bytes = payload.readUInt32BE(0) & 0x7fffffff;
    if (bytes === 0) protocolError('room for nothing');
    if (id === 0) this.#outlet.grant(bytes);
    else this.#streams.get(id)?.out.grant(bytes);
  }

  #keep(stream: Stream, bytes: number): void {
    stream.keptBytes += bytes;
    this.#keptBytes += bytes;
    if (this.#keptBytes <= bridgeLimits.receivingBytesMax) return;
    throw new ConnectionError(CALM, 'too many messages are not whole');
  }

  /** The answer is written. A client that has not said all need not go on. */
  #answered(stream: Stream): void {
    this.#forget(stream);
    if (!stream.ended) this.#writeReset(stream.id, ErrorCode.noError);
  }

  /** A stream that its client has broken. */
  #give(stream: Stream, code: ErrorCode): void {
    this.#forget(stream);
    stream.out.close();
    this.#writeReset(stream.id, code);
    stream.receiver?.closed();
  }

  #forget(stream: Stream): void {
    this.#streams.delete(stream.id);
    this.#keptBytes -= stream.keptBytes;
    stream.keptBytes = 0;
  }

  #writeReset(id: number, code: ErrorCode): void {
    this.#outlet.write(encodeFrame(FrameType.reset, 0, id, uint32(code)));
  }
}

const CALM = ErrorCode.enhanceYourCalm;
const NOTHING = Buffer.alloc(0);
