import { EtcdError } from '../api/error.ts';
import { bridgeLimits } from '../config/bridge.ts';
import type { ServerCall } from './server_call.ts';

/** The client's end of a stream. */
export interface ClientStream {
  /** What was written and is not on its way yet. */
  readonly pendingBytes: number;
  /** Called once, when much less is pending. */
  drained(callback: () => void): void;
  send(bytes: Uint8Array): void;
  end(error: EtcdError | null): void;
}

/** The same over gRPC. A client that reads too slowly is sent away, before it fills the memory. */
export class GrpcClientStream implements ClientStream {
  readonly #call: ServerCall;
  readonly #ended: (error: EtcdError | null) => void;
  #pendingBytes = 0;
  #drained: (() => void) | null = null;
  #over = false;

  /** @param ended called once, when the stream is over for the client or for us */
  constructor(call: ServerCall, ended: (error: EtcdError | null) => void) {
    this.#call = call;
    this.#ended = ended;
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
    this.#call.send(bytes, () => {
      this.#pendingBytes -= bytes.length;
      if (this.#pendingBytes < bridgeLimits.highWaterBytes / 2) this.#callDrained();
    });
    if (this.#pendingBytes <= bridgeLimits.bufferBytesMax) return;
    const error = EtcdError.of('slowClient');
    this.#call.abort(error);
    this.#finish(error);
  }

  end(error: EtcdError | null): void {
    if (this.#over) return;
    this.#call.end(error);
    this.#finish(error);
  }

  /** The client is gone, or does not want it any more. */
  cancelled(): void {
    this.#finish(EtcdError.of('canceled'));
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
