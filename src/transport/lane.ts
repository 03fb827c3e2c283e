import type { Message } from '../raft/message.ts';

/**
 * Messages for one peer that go out together: while the allowed number of requests is under way the
 * next ones gather and leave as one. Bounded: what does not fit is lost, and the core repairs it.
 */
export class Lane {
  readonly #post: (messages: readonly Message[]) => Promise<void>;
  readonly #inFlightMax: number;
  readonly #queueMax: number;
  #queue: Message[] = [];
  #inFlight = 0;

  constructor(
    post: (messages: readonly Message[]) => Promise<void>,
    inFlightMax: number,
    queueMax: number,
  ) {
    this.#post = post;
    this.#inFlightMax = inFlightMax;
    this.#queueMax = queueMax;
  }

  send(messages: readonly Message[]): void {
    this.#queue.push(...messages);
    // The oldest go first: of appends and heartbeats the newest says most.
    if (this.#queue.length > this.#queueMax)
      this.#queue.splice(0, this.#queue.length - this.#queueMax);
    this.#pump();
  }

  #pump(): void {
    if (this.#queue.length === 0 || this.#inFlight >= this.#inFlightMax) return;
    const messages = this.#queue;
    this.#queue = [];
    this.#inFlight++;
    this.#post(messages).finally(() => {
      this.#inFlight--;
      this.#pump();
    });
  }
}
