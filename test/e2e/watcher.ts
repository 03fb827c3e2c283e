import { setTimeout as sleep } from 'node:timers/promises';
import { assert } from '../../src/lib/assert.ts';
import { encode } from './client.ts';

/** An event as a test compares it. */
export interface SeenEvent {
  readonly revision: number;
  readonly key: string;
  readonly value: string;
}

interface Frame {
  readonly result?: {
    readonly canceled?: boolean;
    readonly events?: readonly { readonly kv: Readonly<Record<string, string>> }[];
  };
}

/**
 * A client that watches a prefix for ever: when its stream ends, for whatever reason, it resumes
 * behind the last revision that it has seen, at the same member or at the next.
 */
export class Watcher {
  readonly events: SeenEvent[] = [];
  /** Streams that were opened. */
  streams = 0;
  readonly #urls: readonly string[];
  readonly #prefix: string;
  #next: number;
  #stopped = new AbortController();

  /** @param urls in the order in which they are tried; one: always the same member */
  constructor(urls: readonly string[], prefix: string, startRevision: number) {
    this.#urls = urls;
    this.#prefix = prefix;
    this.#next = startRevision;
  }

  /** Watches until it is stopped. What is out of order or repeated ends it with an error. */
  async run(): Promise<void> {
    for (let turn = 0; !this.#stopped.signal.aborted; turn++) {
      try {
        await this.#stream(this.#urls[turn % this.#urls.length] as string);
      } catch (error) {
        if (error instanceof WatchBroken) throw error;
      }
      await sleep(50);
    }
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #stream(url: string): Promise<void> {
    const end =
      this.#prefix.slice(0, -1) +
      String.fromCharCode(this.#prefix.charCodeAt(this.#prefix.length - 1) + 1);
    const body = {
      create_request: {
        key: encode(this.#prefix),
        range_end: encode(end),
        start_revision: String(this.#next),
      },
    };
    const response = await fetch(`${url}/v3/watch`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: this.#stopped.signal,
    });
    assert(response.ok && response.body !== null, `status ${response.status}`);
    this.streams++;
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      text += decoder.decode(chunk, { stream: true });
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) if (line.trim() !== '') this.#frame(JSON.parse(line) as Frame);
    }
  }

  #frame({ result }: Frame): void {
    if (result?.canceled) throw new WatchBroken(`canceled: ${JSON.stringify(result)}`);
    for (const { kv } of result?.events ?? []) {
      const revision = Number(kv['mod_revision']);
      // Every write of the test is a revision with one event: the next must be the next.
      if (revision !== this.#next) throw new WatchBroken(`${revision} where ${this.#next} is next`);
      this.#next = revision + 1;
      const text = (field: string) => Buffer.from(kv[field] ?? '', 'base64').toString();
      this.events.push({ revision, key: text('key'), value: text('value') });
    }
  }
}

/** What a watch never does. */
export class WatchBroken extends Error {
  override readonly name = 'WatchBroken';
}
