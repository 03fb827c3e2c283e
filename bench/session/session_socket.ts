import { once } from 'node:events';
import WebSocket from 'ws';
import { decodeServerFrame } from '../../src/api/session-answer.ts';
import { Action, ClientFrameWriter } from '../../src/api/session-request.ts';
import { must } from '../../src/lib/assert.ts';
import type { Latencies } from '../latencies.ts';

/** What the sockets of a run count together. */
export interface SessionTally {
  requests: number;
  errors: number;
  readonly latencies: Latencies;
}

/** One WebSocket with so many operations under way at all times. */
export class SessionSocket {
  readonly #socket: WebSocket;
  readonly #method: number;
  readonly #requests: readonly Uint8Array[];
  readonly #operations: number;
  readonly #writer = new ClientFrameWriter();
  readonly #sentMs: Float64Array;
  #next = 0;
  #receivedBytes = 0;
  #tally: SessionTally | null = null;

  constructor(url: string, method: number, requests: readonly Uint8Array[], operations: number) {
    // A mask of zeros is no work: it is the server that is measured.
    const generateMask = (mask: Buffer) => void mask.fill(0);
    this.#socket = new WebSocket(url, { perMessageDeflate: false, generateMask });
    this.#method = method;
    this.#requests = requests;
    this.#operations = operations;
    this.#sentMs = new Float64Array(operations + 1);
  }

  async open(version: number): Promise<void> {
    await once(this.#socket as unknown as NodeJS.EventEmitter, 'open');
    this.#socket.on('message', (data) => this.#received(data as Buffer));
    this.#socket.on('close', () => this.#lost());
    this.#writer.hello({ version, token: null, requireLeader: false });
    for (let id = 1; id <= this.#operations; id++) this.#issue(id);
    this.#socket.send(this.#writer.take());
  }

  /** From now on answers count there; null: nowhere. */
  count(tally: SessionTally | null): void {
    this.#tally = tally;
  }

  close(): void {
    this.#tally = null;
    this.#socket.terminate();
  }

  #issue(id: number): void {
    const request = must(this.#requests[this.#next], 'a prepared request');
    this.#next = (this.#next + 1) % this.#requests.length;
    this.#sentMs[id] = performance.now();
    const operation = { id, method: this.#method, request, timeoutMs: 0, action: Action.send };
    this.#writer.operation(operation);
  }

  #received(data: Buffer): void {
    this.#receivedBytes += data.length;
    const { answers } = decodeServerFrame(data);
    if (answers.length === 0) return;
    const nowMs = performance.now();
    const tally = this.#tally;
    for (const { id, failure } of answers) {
      if (tally !== null) {
        tally.latencies.record((nowMs - (this.#sentMs[id] ?? nowMs)) * 1_000);
        if (failure === null) tally.requests++;
        else tally.errors++;
      }
      this.#issue(id);
    }
    this.#writer.received(this.#receivedBytes);
    this.#socket.send(this.#writer.take());
  }

  /** The operations under way are lost with it. */
  #lost(): void {
    if (this.#tally !== null) this.#tally.errors += this.#operations;
  }
}
