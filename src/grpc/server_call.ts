import { gunzipSync, inflateSync } from 'node:zlib';
import { Code, EtcdError } from '../api/error.ts';
import { messageTooLarge } from '../api/error-body.ts';
import { grpcTimeoutMs } from '../api/grpc_timeout.ts';
import { limits } from '../config.ts';
import { concatBytes } from '../lib/bytes.ts';
import { messageOf } from '../lib/error.ts';
import type { ServerStream, StreamReceiver } from './http2/connection.ts';
import { encodeHeaders, type Headers } from './http2/hpack.ts';

/** Who serves a call. */
export interface CallReceiver {
  /** A request message. @throws EtcdError by which the call ends */
  message(bytes: Uint8Array): void;
  /** No request follows. */
  finished(): void;
  /** The client does not want to know any more: cancelled, gone, or its deadline has passed. */
  cancelled(): void;
}

/** What serves the calls of one method. */
export type Service = (call: ServerCall) => CallReceiver;

const PREFIX_BYTES = 5;
const RESPONSE_HEAD = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
] as const;
const HEAD = encodeHeaders(RESPONSE_HEAD);
const OK = encodeHeaders([['grpc-status', '0']]);
const TIMER_MAX_MS = 2 ** 31 - 1;

/** A call of gRPC on a stream of HTTP/2: messages, a deadline, and a status at the end. */
export class ServerCall implements StreamReceiver {
  readonly headers: Headers;
  /** What the client gives it; null: as long as it takes. */
  readonly timeoutMs: number | null;
  readonly #stream: ServerStream;
  #receiver: CallReceiver | null = null;
  /** Of a message that is not whole. */
  #parts: Buffer[] = [];
  #partsBytes = 0;
  #hasBegun = false;
  #over = false;
  #timer: NodeJS.Timeout | null = null;

  /** @throws EtcdError when the headers are no call's */
  constructor(stream: ServerStream, headers: Headers) {
    this.#stream = stream;
    this.headers = headers;
    this.timeoutMs = timeoutOf(headers.get('grpc-timeout'));
  }

  /** From here on the call is served. */
  serve(service: Service): void {
    if (this.timeoutMs !== null) {
      const late = (): void => this.#cancel(new EtcdError(Code.deadlineExceeded, LATE));
      this.#timer = setTimeout(late, Math.min(this.timeoutMs, TIMER_MAX_MS));
    }
    this.#receiver = service(this);
  }

  /** @param written called when the message has left */
  send(bytes: Uint8Array, written: () => void): void {
    if (this.#over) return;
    if (!this.#hasBegun) this.#stream.out.headers(HEAD);
    this.#hasBegun = true;
    this.#stream.out.data(framed(bytes), written);
  }

  /** The one message of a call that ends well. */
  answer(bytes: Uint8Array): void {
    if (this.#over) return;
    this.#finish();
    this.#stream.out.answer(HEAD, framed(bytes), OK);
  }

  /** The end, after everything that was sent. */
  end(error: EtcdError | null): void {
    if (this.#over) return;
    this.#finish();
    const status = error === null ? null : statusOf(error);
    if (this.#hasBegun) this.#stream.out.end(status === null ? OK : encodeHeaders(status));
    else this.#stream.out.end(encodeHeaders([...RESPONSE_HEAD, ...(status ?? STATUS_OK)]));
  }

  /** The end at once: what has not left yet is not needed any more. */
  abort(error: EtcdError): void {
    if (!this.#over) this.#stream.out.discard();
    this.end(error);
  }

  data(bytes: Buffer, isLast: boolean): void {
    if (this.#over) return;
    try {
      if (bytes.length > 0) this.#received(bytes);
      if (isLast && !this.#over) this.#receiver?.finished();
    } catch (error) {
      const isKnown = error instanceof EtcdError;
      this.#cancel(isKnown ? error : new EtcdError(Code.internal, messageOf(error)));
    }
  }

  closed(): void {
    if (this.#over) return;
    this.#finish();
    this.#receiver?.cancelled();
  }

  #cancel(error: EtcdError): void {
    if (this.#over) return;
    this.end(error);
    this.#receiver?.cancelled();
  }

  #finish(): void {
    this.#over = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#parts = [];
  }

  #received(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#partsBytes > 0) {
      this.#parts.push(chunk);
      this.#partsBytes += chunk.length;
      this.#stream.keep(chunk.length);
      const first = this.#parts[0]?.length ?? 0;
      // Once it is known how much is wanted, parts wait for the last of it.
      if (first >= PREFIX_BYTES && this.#partsBytes < this.#wanted(this.#parts[0])) return;
      bytes = Buffer.concat(this.#parts);
      this.#stream.keep(-this.#partsBytes);
    }
    let at = 0;
    for (let end = this.#wanted(bytes); at + end <= bytes.length; ) {
      this.#message(bytes, at, at + end);
      at += end;
      if (this.#over) return;
      end = this.#wanted(bytes.subarray(at));
    }
    const rest = bytes.subarray(at);
    this.#parts = rest.length > 0 ? [rest] : [];
    this.#partsBytes = rest.length;
    this.#stream.keep(rest.length);
  }

  /** The length of the message that begins there, with its prefix. @throws EtcdError */
  #wanted(bytes: Buffer | undefined): number {
    if (bytes === undefined || bytes.length < PREFIX_BYTES) return PREFIX_BYTES;
    const length = bytes.readUInt32BE(1);
    if (length > limits.messageBytesMax) throw messageTooLarge(length);
    return PREFIX_BYTES + length;
  }

  #message(bytes: Buffer, at: number, end: number): void {
    const message = bytes.subarray(at + PREFIX_BYTES, end);
    if (bytes[at] === 0) this.#receiver?.message(message);
    else this.#receiver?.message(inflated(message, this.headers.get('grpc-encoding')));
  }
}

const LATE = 'context deadline exceeded';
const STATUS_OK = [['grpc-status', '0']] as const;

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.from(concatBytes([prefix, message]).buffer);
}

function statusOf({ code, message }: EtcdError): readonly (readonly [string, string])[] {
  return [
    ['grpc-status', String(code)],
    ['grpc-message', percentEncoded(message)],
  ];
}

/** What is not printable ASCII, and the sign itself, octet by octet. */
function percentEncoded(text: string): string {
  return Buffer.from(text)
    .toString('latin1')
    .replace(/[^ -$&-~]/g, (octet) => {
      return `%${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
    });
}

/** Clients may compress what they send; nothing is compressed here. */
function inflated(message: Uint8Array, encoding: string | undefined): Uint8Array {
  const bounds = { maxOutputLength: limits.messageBytesMax };
  try {
    if (encoding === 'gzip') return gunzipSync(message, bounds);
    if (encoding === 'deflate') return inflateSync(message, bounds);
  } catch (error) {
    throw new EtcdError(Code.internal, `grpc: failed to decompress: ${messageOf(error)}`);
  }
  throw new EtcdError(Code.unimplemented, `grpc: Decompressor is not installed for "${encoding}"`);
}

/** @throws EtcdError */
function timeoutOf(header: string | undefined): number | null {
  if (header === undefined) return null;
  const timeoutMs = grpcTimeoutMs(header, /^\d{1,8}$/);
  if (timeoutMs === null) {
    throw new EtcdError(Code.internal, `malformed grpc-timeout: ${header}`);
  }
  return Math.max(1, timeoutMs);
}
