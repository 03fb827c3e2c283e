import { assert, must } from '../../src/lib/assert.ts';
import { eventually } from './cluster.ts';

type Json = Record<string, unknown>;

/** An answer that is not a success: for a write, whether it happened is unknown. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed';
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
}

/** Calls a method of etcd's JSON gateway at one member. @throws CallFailed */
export async function call(
  url: string,
  path: string,
  body: Json,
  timeoutMs = 8_000,
): Promise<Json> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url + path, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    text = await response.text();
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? ` (${error.cause})` : '';
    throw new CallFailed(`${url}${path}: ${error}${cause}`);
  }
  if (!response.ok) throw new CallFailed(`${url}${path}: ${response.status} ${text}`);
  return JSON.parse(text) as Json;
}

/** @returns the revision of the put */
export async function put(
  url: string,
  key: string,
  value: string,
  timeoutMs?: number,
): Promise<number> {
  const body = { key: encode(key), value: encode(value) };
  return revisionOf(await call(url, '/v3/kv/put', body, timeoutMs));
}

/** The value, read linearizably, or null. */
export async function get(url: string, key: string): Promise<string | null> {
  const answer = await call(url, '/v3/kv/range', { key: encode(key) });
  return keyValues(answer)[0]?.value ?? null;
}

/** All keys with a prefix, at one revision. */
export async function scan(
  url: string,
  prefix: string,
): Promise<{ revision: number; kvs: KeyValue[] }> {
  const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
  const answer = await call(url, '/v3/kv/range', { key: encode(prefix), range_end: encode(end) });
  return { revision: revisionOf(answer), kvs: keyValues(answer) };
}

export async function currentRevision(url: string): Promise<number> {
  return revisionOf(await call(url, '/v3/kv/range', { key: encode('no such key') }));
}

/** The leader's id as the member sees it, '0' for none. */
export async function leaderOf(url: string): Promise<{ memberId: string; leader: string }> {
  const answer = await call(url, '/v3/maintenance/status', {});
  const header = answer['header'] as Json;
  return { memberId: String(header['member_id']), leader: String(answer['leader'] ?? '0') };
}

/** Waits until all members have the same key space at that revision. @returns the hash */
export async function hashAgreement(urls: readonly string[], revision: number): Promise<number> {
  let last = 'no answers';
  let hash: unknown;
  await eventually(`equal hashes at revision ${revision}`, 20_000, async () => {
    const answers = await Promise.allSettled(
      urls.map((url) => call(url, '/v3/maintenance/hashkv', { revision: String(revision) })),
    );
    last = JSON.stringify(answers);
    const hashes = answers.map((a) => (a.status === 'fulfilled' ? a.value['hash'] : undefined));
    hash = hashes[0];
    return typeof hash === 'number' && hashes.every((other) => other === hash);
  }).catch((error) => {
    throw new Error(`${error.message}: ${last}`);
  });
  assert(typeof hash === 'number', 'a hash is a number in JSON');
  return hash;
}

export function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}

function decode(base64: unknown): string {
  return Buffer.from(String(base64 ?? ''), 'base64').toString();
}

function revisionOf(answer: Json): number {
  const header = must(answer['header'], 'an answer has a header') as Json;
  const revision = Number(header['revision']);
  assert(Number.isSafeInteger(revision) && revision > 0, `a revision: ${JSON.stringify(header)}`);
  return revision;
}

function keyValues(answer: Json): KeyValue[] {
  return ((answer['kvs'] ?? []) as Json[]).map((kv) => ({
    key: decode(kv['key']),
    value: decode(kv['value']),
    createRevision: Number(kv['create_revision']),
    modRevision: Number(kv['mod_revision']),
    version: Number(kv['version']),
  }));
}
