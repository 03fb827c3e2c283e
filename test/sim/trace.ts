import { utf8 } from '../../src/lib/bytes.ts';
import { crc32c } from '../../src/lib/crc32c.ts';
import type { Message } from '../../src/raft/message.ts';

/** What a trace line may carry: formatted only when somebody reads it. */
export type Detail = string | number | readonly Message[] | null;

interface TraceEvent {
  readonly atUs: number;
  readonly subject: string;
  readonly verb: string;
  readonly detail: Detail;
}

const KEPT_EVENTS = 40;

/**
 * The story of a run: the last events for a failure report, and a running hash over all of them,
 * by which two runs of one seed are compared.
 */
export class Trace {
  readonly #recent: TraceEvent[] = [];
  /** Few texts come again and again. */
  readonly #textHashes = new Map<string, number>();
  readonly #print: ((line: string) => void) | null;
  #count = 0;
  #hash = 0x811c9dc5;

  /** @param print receives every line as it happens; null to be fast. */
  constructor(print: ((line: string) => void) | null) {
    this.#print = print;
  }

  get hash(): number {
    return this.#hash >>> 0;
  }

  get count(): number {
    return this.#count;
  }

  add(atUs: number, subject: string, verb: string, detail: Detail = null): void {
    const event = { atUs, subject, verb, detail };
    this.#recent[this.#count % KEPT_EVENTS] = event;
    this.#count += 1;
    this.#mix(atUs);
    this.#mixText(subject);
    this.#mixText(verb);
    if (typeof detail === 'number') this.#mix(detail);
    else if (typeof detail === 'string') this.#mixText(detail);
    else if (detail !== null) for (const message of detail) this.#mixMessage(message);
    if (this.#print !== null) this.#print(format(event));
  }

  /** The last events, oldest first. */
  recent(): string[] {
    const start = this.#count % KEPT_EVENTS;
    return [...this.#recent.slice(start), ...this.#recent.slice(0, start)].map(format);
  }

  #mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value | 0), 0x01000193);
    this.#hash ^= this.#hash >>> 15;
  }

  #mixText(text: string): void {
    let hash = this.#textHashes.get(text);
    if (hash === undefined) {
      hash = crc32c(utf8(text));
      this.#textHashes.set(text, hash);
    }
    this.#mix(hash);
  }

  #mixMessage(message: Message): void {
    this.#mixText(message.type);
    this.#mix(message.term);
    this.#mix(message.epoch);
    if (message.type === 'append') {
      this.#mix(message.prevIndex);
      this.#mix(message.commit);
      this.#mix(message.round);
      for (const entry of message.entries) this.#mix(entry.index * 31 + entry.data.length);
    } else if (message.type === 'appendReply') {
      this.#mix(message.index);
      this.#mix(message.round);
    }
  }
}

function format(event: TraceEvent): string {
  const time = (event.atUs / 1000).toFixed(3).padStart(10);
  return `${time} ms  ${event.subject.padEnd(8)} ${event.verb} ${formatDetail(event.detail)}`;
}

function formatDetail(detail: Detail): string {
  if (detail === null) return '';
  if (typeof detail === 'object') return detail.map(formatMessage).join(' ');
  return String(detail);
}

function formatMessage(message: Message): string {
  const { type, from, to, term, epoch, ...rest } = message;
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${formatField(value)}`);
  return `${type}(${Number(`0x${from}`)}#${epoch}→${Number(`0x${to}`)} t${term} ${fields.join(' ')})`;
}

function formatField(value: unknown): string {
  if (!Array.isArray(value)) {
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }
  const entries = value as readonly { readonly index?: number; readonly term?: number }[];
  const first = entries[0];
  if (first?.index === undefined) return `[${entries.length}]`;
  return `[${entries.map((entry) => `${entry.index}/${entry.term}`).join(' ')}]`;
}
