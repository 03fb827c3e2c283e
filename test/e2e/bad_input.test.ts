import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Code } from '../../src/api/error.ts';
import { METHODS, type Method } from '../../src/api/methods.ts';
import { limits } from '../../src/config.ts';
import { must } from '../../src/lib/assert.ts';
import { currentRevision, get, hashAgreement, put } from './client.ts';
import { eventually, freeFirstPort, type RunningCluster, Workshop } from './cluster.ts';
import { type BadBody, badBodies } from './malformed.ts';
import { openTextSocket } from './text_socket.ts';

/**
 * Every method is sent every kind of malformed body, over HTTP and, what streams, over WebSockets.
 * Real sockets: thousands of requests take seconds that way.
 */

/** Clients that send them at once: they do not wait for each other. */
const CLIENTS = 8;
/** What waits for something, as a lock does, is called off then. */
const TIMEOUT_MS = 400;
/** An answer to a bad body waits for nothing. */
const IN_TIME_MS = 6_000;

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly ms: number;
}

const workshop = new Workshop();
const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
let cluster: RunningCluster;
let url = '';

beforeAll(async () => {
  const env = { EDGETCD_ACCESS_LOG: 'off' };
  const options = { dataDir: workshop.dataDir(), port: await freeFirstPort(), env };
  cluster = await workshop.launch(options);
  url = must(cluster.endpoints[1], 'three members');
}, 60_000);

afterAll(async () => {
  agent.destroy();
  await workshop.clear();
});

/** @param length announced: a body that is too large is refused before it is sent */
function post(path: string, body: string, length = Buffer.byteLength(body)): Promise<Answer> {
  const startMs = performance.now();
  const headers = { 'content-length': length, 'grpc-timeout': `${TIMEOUT_MS}m` };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { method: 'POST', agent, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('error', reject);
      response.on('end', () => {
        const ms = performance.now() - startMs;
        if (!sent.writableEnded) sent.destroy();
        resolve({ status: response.statusCode ?? 0, text: text.trim(), ms });
      });
    });
    sent.on('error', reject);
    if (length === Buffer.byteLength(body)) sent.end(body);
    else sent.flushHeaders();
  });
}

/** The member serves: what it holds is readable, and a write goes through. */
async function expectServing(): Promise<void> {
  const value = String(performance.now());
  await put(url, 'serving', value);
  expect(await get(url, 'serving')).toBe(value);
}

/** An answer of etcd's shape, of one of its codes, and in time. What is wrong with it, or null. */
function complaint(method: Method, { kind }: BadBody, { status, text, ms }: Answer): string | null {
  const told = `${status} ${text.slice(0, 200)}`;
  if (ms > IN_TIME_MS) return `after ${Math.round(ms)} ms: ${told}`;
  if (status === 200) return kind === 'refused' ? `taken: ${told}` : null;
  const error = errorOf(text);
  if (error === null) return `not an error of etcd's: ${told}`;
  // Where requests come in a stream, a bad first one is an unknown error in etcd.
  const [wanted, wantedStatus] = method.kind === 'bidi_streaming' ? [2, 500] : [3, 400];
  if (kind === 'refused' && (error.code !== wanted || status !== wantedStatus)) return told;
  return error.code === Code.internal || error.code === Code.unimplemented ? told : null;
}

/** Both shapes: of an answer that is an error, and of a stream that did not begin. */
function errorOf(text: string): { code: unknown; message: string } | null {
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
  const { error, code, message } = json;
  if (typeof error === 'string') {
    return message === error && error !== '' ? { code, message: error } : null;
  }
  const { grpc_code: streamCode, message: streamMessage } = (error ?? {}) as typeof json;
  return typeof streamMessage === 'string' ? { code: streamCode, message: streamMessage } : null;
}

async function complaints(method: Method): Promise<string[]> {
  const found: string[] = [];
  const waiting = badBodies(method.input);
  const client = async (): Promise<void> => {
    for (let bad = waiting.pop(); bad !== undefined; bad = waiting.pop()) {
      const wrong = complaint(method, bad, await post(method.path, bad.body));
      if (wrong !== null) found.push(`${bad.what}: ${wrong}`);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return found;
}

describe.each(METHODS.map((method) => ({ method, path: method.path })))('$path', ({ method }) => {
  test('answers every malformed body as etcd does, and goes on serving', async () => {
    expect(await complaints(method)).toEqual([]);
    await expectServing();
  });

  test('refuses a body that is larger than any message', async () => {
    const { text } = await post(method.path, '', limits.bodyBytesMax + 1);
    expect(errorOf(text)?.code, text.slice(0, 200)).toBe(Code.resourceExhausted);
    await expectServing();
  });
});

const streams = METHODS.filter(({ kind }) => kind !== 'unary');

describe.each(streams.map((method) => ({ method, path: method.path })))(
  '$path over a WebSocket',
  ({ method }) => {
    test('tells what is wrong with a malformed message, and goes on serving', async () => {
      const refused = badBodies(method.input).filter(({ kind }) => kind === 'refused');
      const found: string[] = [];
      for (const { what, body } of refused) {
        const said = await firstWord(method.path, body);
        if (errorOf(said) === null) found.push(`${what}: ${said.slice(0, 200)}`);
      }
      expect(found).toEqual([]);
      await expectServing();
    });
  },
);

/** The first thing that the member says to a message. */
async function firstWord(path: string, body: string): Promise<string> {
  const socket = await openTextSocket(Number(new URL(url).port), path);
  try {
    socket.send(body);
    await eventually(`an answer to ${body.slice(0, 80)}`, IN_TIME_MS, () => {
      return socket.messages.length > 0;
    });
    return must(socket.messages[0], 'a message');
  } finally {
    socket.close();
  }
}

test('after all of it the members are alike', async () => {
  await hashAgreement(cluster.endpoints, await currentRevision(url));
});
