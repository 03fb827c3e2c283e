import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { EtcdError } from '../../api/error.ts';
import { encodeError, encodeStreamError } from '../../api/error-body.ts';
import { encodeJson } from '../../api/json.ts';
import type { Format } from './format.ts';
import type { HttpAnswer } from './http_answer.ts';
import type { Outlet } from './outlet.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' } as const;

/** The frames of a stream as the body of an HTTP answer. Its head goes with the first of them. */
export class HttpOutlet implements Outlet {
  readonly #answer: HttpAnswer;
  readonly #format: Format;

  constructor(answer: HttpAnswer, format: Format) {
    this.#answer = answer;
    this.#format = format;
  }

  get bufferedBytes(): number {
    return this.#answer.bufferedBytes;
  }

  send<O extends DescMessage>(output: O, message: MessageShape<O>): number {
    const json = encodeJson(output, message);
    this.frame(json, message);
    return json.length;
  }

  /** An answer in JSON, and the message that it was made from. */
  frame(json: string, message: unknown): void {
    const frame = this.#format.frame(json, message);
    this.#answer.write(this.#answer.begun ? frame : this.#format.preamble + frame);
  }

  malformed(error: EtcdError): void {
    if (this.#answer.begun) return this.end(error);
    const { status, body } = encodeError(error);
    this.#answer.finish(status, body, JSON_TYPE);
  }

  end(error: EtcdError | null): void {
    const type = { 'Content-Type': this.#format.contentType };
    if (error === null) return this.#answer.finish(200, '', type);
    if (this.#answer.begun) return this.#answer.finish(200, this.#format.error(error), type);
    const { status, body } = encodeStreamError(error);
    this.#answer.finish(status, body, JSON_TYPE);
  }

  cutOff(): void {
    this.#answer.cutOff();
  }

  drained(callback: () => void): void {
    this.#answer.drained(callback);
  }

  beat(nowMs: number): void {
    this.#answer.beat(nowMs);
  }
}
