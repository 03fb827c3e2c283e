import { exports } from 'cloudflare:workers';
import { textOf, utf8 } from '../../src/lib/bytes.ts';

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** The body, where it is a JSON object. */
  readonly json: Readonly<Record<string, unknown>>;
}

export const base64 = (text: string): string => btoa(String.fromCharCode(...utf8(text)));
export const unbase64 = (text: string): string =>
  textOf(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));

/** One request to the Worker, as a client outside sends it. */
export function get(path: string, init: RequestInit = {}): Promise<Answer> {
  return answerOf(exports.default.fetch(new Request(`http://edge.example${path}`, init)));
}

/** A call of a method; `endpoint` names the one member that is to answer it. */
export function post(path: string, body: unknown, endpoint?: string): Promise<Answer> {
  const headers = endpoint === undefined ? {} : { 'x-etcd-endpoint': endpoint };
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return get(path, { method: 'POST', body: text, headers });
}

export async function answerOf(response: Promise<Response>): Promise<Answer> {
  const { status, text } = await response.then(async (each) => ({
    status: each.status,
    text: await each.text(),
  }));
  return { status, text, json: jsonOf(text) };
}

function jsonOf(text: string): Answer['json'] {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

export function put(key: string, value: string, endpoint?: string): Promise<Answer> {
  return post('/v3/kv/put', { key: base64(key), value: base64(value) }, endpoint);
}

/** The value that a linearizable read finds, or null. */
export async function readValue(key: string, endpoint?: string): Promise<string | null> {
  const { status, text, json } = await post('/v3/kv/range', { key: base64(key) }, endpoint);
  if (status !== 200) throw new Error(`range: ${status} ${text}`);
  const kvs = json['kvs'] as readonly { value?: string }[] | undefined;
  return kvs?.[0] === undefined ? null : unbase64(kvs[0].value ?? '');
}

/** Asks again until the answer is good: an election, or a restart, takes its time. */
export async function until<T>(
  ask: () => Promise<T>,
  good: (answer: T) => boolean,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (good(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`not in time; last: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits until a write succeeds at that member, or anywhere. */
export function untilWritable(endpoint?: string): Promise<Answer> {
  return until(
    () => put('ready', 'yes', endpoint),
    ({ status }) => status === 200,
  );
}
