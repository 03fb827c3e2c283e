import type { Socket } from 'node:net';
import { decodeBinary, encodeBinary } from '../../api/binary.ts';
import type { EtcdError } from '../../api/error.ts';
import { decodeJson, encodeJson } from '../../api/json.ts';
import { type Method, methodOf } from '../../api/methods.ts';
import { must } from '../../lib/assert.ts';
import { errorAnswer, successAnswer } from './answer.ts';
import { type HttpCall, RequestReader } from './request.ts';
import type { CallListener, SessionCalls } from './session_calls.ts';
import { isShort } from './short_calls.ts';

/** The ways to a member. */
export interface Ways {
  /** Sessions for what writes, and others for what reads: answers to one do not delay the other. */
  readonly writes: SessionCalls;
  readonly reads: SessionCalls;
  /** Byte by byte, from here on. */
  splice(socket: Socket, first: Uint8Array, hasEnded: boolean): void;
}

/**
 * A client's connection of HTTP. A request of the few kinds that come by the thousand is answered
 * here, by way of a session that all clients share, for a third of what the runtime's own HTTP and
 * the hop into the object would cost. With the first request that is anything else the connection
 * is passed on to the member, byte by byte and for good: only the member knows all of HTTP.
 */
export class HttpConnection implements CallListener {
  readonly #socket: Socket;
  readonly #ways: Ways;
  readonly #reader = new RequestReader();
  /** What waits for its answer: the request as it came, and the method. */
  #bytes: Buffer | null = null;
  #method: Method | null = null;
  /** What the client has sent behind it. */
  #ahead: Buffer[] = [];
  #ended = false;
  readonly #onData = (bytes: Buffer): void => this.#received(bytes);
  readonly #onEnd = (): void => this.#clientEnded();

  constructor(socket: Socket, ways: Ways) {
    this.#socket = socket;
    this.#ways = ways;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.resume();
  }

  answered(response: Uint8Array): void {
    const { output } = must(this.#method, 'a call is under way');
    const json = encodeJson(output, decodeBinary(output, response));
    this.#answer(successAnswer(json), 'latin1');
  }

  failed(error: EtcdError): void {
    this.#answer(errorAnswer(error), 'utf8');
  }

  unsent(): void {
    this.#passOn();
  }

  #received(bytes: Buffer): void {
    if (this.#bytes !== null) {
      // Requests are answered one after another, and few of them are kept.
      this.#ahead.push(bytes);
      this.#socket.pause();
      return;
    }
    this.#bytes = bytes;
    const call = this.#reader.read(bytes);
    if (call === null || !this.#call(call)) this.#passOn();
  }

  /** @returns false when it is a call for the member to see as it is */
  #call({ path, body }: HttpCall): boolean {
    const method = must(methodOf(path), 'a method of the gateway');
    let request: Uint8Array;
    try {
      const message = decodeJson(method.input, body);
      if (!isShort(message)) return false;
      request = encodeBinary(method.input, message);
    } catch {
      // The member finds the words for what is wrong.
      return false;
    }
    this.#method = method;
    const { reads, writes } = this.#ways;
    (path === '/v3/kv/range' ? reads : writes).call(path, request, this);
    return true;
  }

  #answer(text: string, encoding: 'latin1' | 'utf8'): void {
    this.#bytes = null;
    if (this.#socket.destroyed) return;
    const hasRoom = this.#socket.write(text, encoding);
    if (hasRoom) this.#next();
    else this.#socket.once('drain', () => this.#next());
  }

  #next(): void {
    if (this.#ahead.length === 0) {
      if (this.#ended) this.#socket.end();
      return;
    }
    const bytes = Buffer.concat(this.#ahead);
    this.#ahead = [];
    this.#received(bytes);
    if (this.#bytes !== null) this.#socket.resume();
  }

  #clientEnded(): void {
    this.#ended = true;
    if (this.#bytes === null) this.#socket.end();
  }

  /** From here on the member has the connection, and what it has not answered. */
  #passOn(): void {
    const socket = this.#socket;
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.pause();
    const rest = this.#bytes === null ? this.#ahead : [this.#bytes, ...this.#ahead];
    this.#bytes = null;
    if (!socket.destroyed) this.#ways.splice(socket, Buffer.concat(rest), this.#ended);
  }
}
