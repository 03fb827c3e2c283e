import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { Code, type EtcdError } from '../../api/error.ts';
import { encodeError, encodeStreamError } from '../../api/error-body.ts';
import { encodeJson } from '../../api/json.ts';
import { limits } from '../../config.ts';
import { utf8 } from '../../lib/bytes.ts';
import type { Outlet } from './outlet.ts';

/** RFC 6455 and IANA: how a socket was closed. */
export const CloseCode = {
  normal: 1000,
  protocolError: 1002,
  unsupported: 1003,
  tooLarge: 1009,
  internalError: 1011,
  serviceRestart: 1012,
  tryAgainLater: 1013,
  // Of sessions: docs/PROTOCOL.md.
  noHello: 4000,
  unknownVersion: 4001,
} as const;

/** A close frame has room for so many bytes of text. */
const REASON_BYTES_MAX = 123;

/** The part of a WebSocket that answers go to. */
export interface SocketEnd {
  send(text: string): void;
  close(code: number, reason: string): void;
}

/**
 * The frames of a stream as text messages, one each, as etcd's proxy for WebSockets cuts them. The
 * platform does not tell how much of what was sent is still on its way, so that is reckoned from
 * what a connection carries: a replay is sent no faster than that.
 */
export class SocketOutlet implements Outlet {
  readonly #socket: SocketEnd;
  readonly #nowMs: () => number;
  #reckonedBytes = 0;
  #reckonedAtMs: number;

  constructor(socket: SocketEnd, nowMs: () => number) {
    this.#socket = socket;
    this.#nowMs = nowMs;
    this.#reckonedAtMs = nowMs();
  }

  get bufferedBytes(): number {
    const nowMs = this.#nowMs();
    const carried = ((nowMs - this.#reckonedAtMs) / 1000) * limits.socketBytesPerSecond;
    this.#reckonedBytes = Math.max(0, this.#reckonedBytes - carried);
    this.#reckonedAtMs = nowMs;
    return this.#reckonedBytes;
  }

  send<O extends DescMessage>(output: O, message: MessageShape<O>): number {
    const json = encodeJson(output, message);
    this.frame(json);
    return json.length;
  }

  /** An answer in JSON. */
  frame(json: string): void {
    this.#send(`{"result":${json}}`);
  }

  malformed(error: EtcdError): void {
    this.#send(encodeError(error).body);
    this.#close(closeCodeOf(error.code), error.message);
  }

  end(error: EtcdError | null): void {
    if (error === null) return this.#close(CloseCode.normal, '');
    this.#send(encodeStreamError(error).body);
    this.#close(closeCodeOf(error.code), error.message);
  }

  cutOff(): void {
    this.#close(CloseCode.tryAgainLater, 'the client does not read');
  }

  drained(callback: () => void): void {
    const tooMany = this.bufferedBytes - limits.streamHighWaterBytes;
    setTimeout(callback, Math.max(0, (tooMany / limits.socketBytesPerSecond) * 1000));
  }

  /** Text that is no frame of a stream: the answer of a unary method. */
  answer(text: string): void {
    this.#send(text);
    this.#close(CloseCode.normal, '');
  }

  #send(text: string): void {
    this.#reckonedBytes = this.bufferedBytes + text.length;
    try {
      this.#socket.send(text);
    } catch {
      // It is closed; the event that says so is on its way.
    }
  }

  #close(code: number, reason: string): void {
    try {
      this.#socket.close(code, shortened(reason));
    } catch {
      // Closed already.
    }
  }
}

/** Whether it makes sense to come back at once is what a client wants to know. */
function closeCodeOf(code: Code): number {
  const isPassing = code === Code.unavailable || code === Code.resourceExhausted;
  return isPassing ? CloseCode.tryAgainLater : CloseCode.internalError;
}

/** A reason that fits in a close frame. */
export function shortened(reason: string): string {
  let text = reason.slice(0, REASON_BYTES_MAX);
  while (utf8(text).length > REASON_BYTES_MAX) text = text.slice(0, -1);
  return text;
}
