import type { ServerDuplexStream, ServerWritableStream, StatusObject } from '@grpc/grpc-js';
import { EtcdError } from '../api/error.ts';
import { bridgeLimits } from '../config/bridge.ts';

/** The client's end of a stream. */
export interface ClientStream {
  /** What was written and is not on its way yet. */
  readonly pendingBytes: number;
  /** Called once, when much less is pending. */
  drained(callback: () => void): void;
  send(bytes: Uint8Array): void;
  end(error: EtcdError | null): void;
}

type GrpcStream = ServerWritableStream<Buffer, Uint8Array> | ServerDuplexStream<Buffer, Uint8Array>;

/** The same over gRPC. A client that reads too slowly is sent away, before it fills the memory. */
export class GrpcClientStream implements ClientStream {
  readonly #stream: GrpcStream;
  readonly #ended: (error: EtcdError | null) => void;
  #pendingBytes = 0;
  #drained: (() => void) | null = null;
  #over = false;

  /** @param ended called once, when the stream is over for the client or for us */
  constructor(stream: GrpcStream, ended: (error: EtcdError | null) => void) {
    this.#stream = stream;
    this.#ended = ended;
    stream.on('cancelled', () => this.#finish(EtcdError.of('canceled')));
    // What cannot be written is told by 'cancelled' as well.
    stream.on('error', () => this.#finish(EtcdError.of('canceled')));
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  drained(callback: () => void): void {
    this.#drained = callback;
  }

  send(bytes: Uint8Array): void {
    if (this.#over) return;
    this.#pendingBytes += bytes.length;
    this.#stream.write(bytes, () => {
      this.#pendingBytes -= bytes.length;
      if (this.#pendingBytes < bridgeLimits.highWaterBytes / 2) this.#callDrained();
    });
    if (this.#pendingBytes > bridgeLimits.bufferBytesMax) this.end(EtcdError.of('slowClient'));
  }

  end(error: EtcdError | null): void {
    if (this.#over) return;
    if (error === null) this.#stream.end();
    else this.#stream.emit('error', statusOf(error));
    this.#finish(error);
  }

  #callDrained(): void {
    const callback = this.#drained;
    this.#drained = null;
    callback?.();
  }

  #finish(error: EtcdError | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#drained = null;
    this.#ended(error);
  }
}

/** An error as the library sends it. */
export function statusOf({ code, message }: EtcdError): Pick<StatusObject, 'code' | 'details'> {
  return { code, details: message };
}
