import type { V2Answer } from '../v2/reply.ts';
import type { V2Outlet } from '../v2/waits.ts';
import { HttpAnswer } from './http_answer.ts';

/** White space before and between events: it shows whether the client is still there. */
const BLANK = '\n';

/** The answer to a request of the v2 API that waits, over HTTP. */
export class KeysOutlet implements V2Outlet {
  readonly answerer: HttpAnswer;
  #headers: Readonly<Record<string, string>> = {};

  /** @param hints what the gateway wants to know with every answer */
  constructor(hints: () => Record<string, string>, nowMs: number) {
    this.answerer = new HttpAnswer(() => ({ ...this.#headers, ...hints() }), BLANK, nowMs);
  }

  get bufferedBytes(): number {
    return this.answerer.bufferedBytes;
  }

  begin(headers: Readonly<Record<string, string>>): void {
    this.#headers = headers;
    this.answerer.begin();
  }

  write(text: string): void {
    this.answerer.write(text);
  }

  answer({ status, headers, body }: V2Answer): void {
    this.answerer.finish(status, body, { ...headers });
  }

  end(): void {
    this.answerer.finish(200, '', {});
  }

  break(reason: string): void {
    this.answerer.break(reason);
  }
}
