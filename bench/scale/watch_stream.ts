import { type ClientRequest, request } from 'node:http';
import { assert } from '../../src/lib/assert.ts';

/** What the frames of a watch are counted by. */
const CREATED = '"created":true';
const EVENT = '"kv":{';
/** The longest of them that may be cut by the end of a piece, without its last character. */
const CUT = CREATED.length - 1;

/** What all streams of a measurement have received. */
export interface WatchTally {
  created: number;
  events: number;
  /** Streams that ended. */
  ended: number;
  /** Called after every piece. */
  received(): void;
}

/** One stream of watches over HTTP. Frames are counted, not decoded: the client must be cheap. */
export class WatchStream {
  readonly #request: ClientRequest;
  readonly #tally: WatchTally;
  #cut = '';

  /** @param keys of each watch, in base64 */
  constructor(url: string, keys: readonly string[], tally: WatchTally) {
    this.#tally = tally;
    const { hostname, port } = new URL(url);
    const path = '/v3/watch';
    this.#request = request({ agent: false, method: 'POST', hostname, port, path });
    this.#request.on('response', (response) => {
      assert(response.statusCode === 200, `a watch was answered ${response.statusCode}`);
      response.on('data', (chunk: Buffer) => this.#count(chunk.toString('latin1')));
      response.on('close', () => this.#end());
    });
    this.#request.on('error', () => this.#end());
    this.#request.end(keys.map((key) => JSON.stringify({ create_request: { key } })).join('\n'));
  }

  close(): void {
    this.#request.removeAllListeners('error').on('error', () => undefined);
    this.#request.destroy();
  }

  #count(piece: string): void {
    const text = this.#cut + piece;
    const tally = this.#tally;
    tally.created += countOf(text, CREATED, this.#cut.length);
    tally.events += countOf(text, EVENT, this.#cut.length);
    this.#cut = text.slice(-CUT);
    tally.received();
  }

  #end(): void {
    this.#tally.ended++;
    this.#tally.received();
  }
}

/** How often the pattern is in the text, those left out that end in the part already looked at. */
export function countOf(text: string, pattern: string, known: number): number {
  let count = 0;
  for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + pattern.length)) {
    if (at + pattern.length > known) count++;
  }
  return count;
}
