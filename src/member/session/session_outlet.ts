import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { encodeBinary } from '../../api/binary.ts';
import type { EtcdError } from '../../api/error.ts';
import { limits } from '../../config.ts';
import { microtask } from '../../lib/microtask.ts';
import type { Outlet } from '../streams/outlet.ts';

/** The session that a stream belongs to. */
export interface SessionPort {
  /** Sends an answer to a stream, after which others follow. */
  answer(outlet: SessionOutlet, response: Uint8Array): void;
  /** The last one: with an error, or without. */
  finish(outlet: SessionOutlet, error: EtcdError | null): void;
  /** The client does not take in what it is sent. */
  cutOff(): void;
}

/** Where the answers of one stream of a session go. */
export class SessionOutlet implements Outlet {
  readonly id: number;
  readonly #port: SessionPort;
  #unreadBytes = 0;
  #waiting: (() => void)[] = [];

  constructor(id: number, port: SessionPort) {
    this.id = id;
    this.#port = port;
  }

  /** Sent, and not taken in by the client: it says how far it is. */
  get bufferedBytes(): number {
    return this.#unreadBytes;
  }

  send<O extends DescMessage>(output: O, message: MessageShape<O>): number {
    const response = encodeBinary(output, message);
    this.#unreadBytes += response.length;
    this.#port.answer(this, response);
    return response.length;
  }

  malformed(error: EtcdError): void {
    this.#port.finish(this, error);
  }

  end(error: EtcdError | null): void {
    this.#port.finish(this, error);
  }

  cutOff(): void {
    this.#port.cutOff();
  }

  drained(callback: () => void): void {
    this.#waiting.push(callback);
    microtask(() => this.#wake());
  }

  /** The client has taken in so many bytes more. */
  taken(bytes: number): void {
    this.#unreadBytes -= bytes;
    this.#wake();
  }

  #wake(): void {
    if (this.#unreadBytes > limits.streamHighWaterBytes) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback();
  }
}
