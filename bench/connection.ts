import { connect, type Socket } from 'node:net';
import { must } from '../src/lib/assert.ts';
import type { Latencies } from './latencies.ts';
import { parseResponse } from './response.ts';

/** A server that refuses connections is not asked thousands of times a second. */
const reconnectMs = 50;

/** What the connections of a run count together. */
export interface Tally {
  requests: number;
  errors: number;
  readonly latencies: Latencies;
}

/** One closed loop: the next request leaves when the answer to the last one is complete. */
export class LoadConnection {
  readonly #url: URL;
  readonly #requests: readonly Buffer[];
  readonly #tally: Tally;
  #next: number;
  #socket: Socket | null = null;
  #received: Buffer = Buffer.alloc(0);
  #sentMs = 0;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(url: URL, requests: readonly Buffer[], first: number, tally: Tally) {
    this.#url = url;
    this.#requests = requests;
    this.#next = first % requests.length;
    this.#tally = tally;
  }

  start(): void {
    const socket = connect({ host: this.#url.hostname, port: Number(this.#url.port || 80) });
    socket.setNoDelay(true);
    socket.on('connect', () => this.#send());
    socket.on('data', (chunk) => this.#receive(chunk));
    // What it says comes again as 'close'.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#lost());
    this.#received = Buffer.alloc(0);
    this.#socket = socket;
  }

  /** The request under way counts as neither done nor failed. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#socket?.destroy();
  }

  #send(): void {
    const request = must(this.#requests[this.#next], 'a prepared request');
    this.#next = (this.#next + 1) % this.#requests.length;
    this.#sentMs = performance.now();
    this.#socket?.write(request);
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const response = parseResponse(this.#received);
    if (response === null || this.#stopped) return;
    this.#received = this.#received.subarray(response.end);
    this.#tally.latencies.record((performance.now() - this.#sentMs) * 1_000);
    if (response.status < 300) this.#tally.requests++;
    else this.#tally.errors++;
    if (response.closes) return this.#reopen();
    this.#send();
  }

  /** The server said goodbye in good order, which is no error. */
  #reopen(): void {
    this.#socket?.removeAllListeners('close').destroy();
    this.start();
  }

  #lost(): void {
    if (this.#stopped) return;
    this.#tally.errors++;
    this.#retry = setTimeout(() => this.start(), reconnectMs);
  }
}
