import { limits } from '../config.ts';
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
    const messages = this.#queue.splice(0, countWithin(this.#queue, limits.peerFrameBytesMax));
    this.#inFlight++;
    this.#post(messages).finally(() => {
      this.#inFlight--;
      this.#pump();
    });
  }
}

/** How many messages from the front fit in so many bytes; one at least. */
function countWithin(messages: readonly Message[], bytesMax: number): number {
  let bytes = 0;
  const over = messages.findIndex((message, at) => {
    bytes += bytesOf(message);
    return at > 0 && bytes > bytesMax;
  });
  return over < 0 ? messages.length : over;
}

/** About how large a message is: what it carries for clients is all that may be large. */
function bytesOf(message: Message): number {
  if (message.type === 'append') return sum(message.entries.map(({ data }) => data.length));
  return message.type === 'propose' ? sum(message.proposals.map(({ length }) => length)) : 0;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
