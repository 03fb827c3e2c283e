import { Agent, request } from 'node:http';
import { assert } from '../../src/lib/assert.ts';

type Json = Record<string, unknown>;

/** Calls of the gateway over connections that are kept: little of the time is the client's. */
export class Client {
  readonly #agent: Agent;
  readonly #url: URL;

  constructor(url: string, connections: number) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, noDelay: true });
    this.#url = new URL(url);
  }

  /** @throws for an answer that is no success */
  async call(path: string, body: Json): Promise<Json> {
    const { status, text } = await this.post(path, JSON.stringify(body));
    assert(status === 200, `${path}: ${status} ${text.slice(0, 200)}`);
    return JSON.parse(text) as Json;
  }

  post(path: string, body: string): Promise<{ status: number; text: string }> {
    const headers = { 'content-length': Buffer.byteLength(body) };
    const { hostname, port } = this.#url;
    const options = { agent: this.#agent, method: 'POST', hostname, port, path, headers };
    return new Promise((resolve, reject) => {
      const sent = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Does it for 0 … count − 1, so many of them at a time. @returns seconds */
export async function inParallel(
  count: number,
  atOnce: number,
  signal: AbortSignal,
  work: (i: number) => Promise<unknown>,
): Promise<number> {
  let next = 0;
  const startMs = performance.now();
  const worker = async (): Promise<void> => {
    while (next < count) {
      signal.throwIfAborted();
      await work(next++);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker));
  return (performance.now() - startMs) / 1_000;
}
