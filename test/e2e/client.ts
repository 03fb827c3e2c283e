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

/**
 * Where in the list the leader is, once all of them take the same one for it: an election may be
 * under way.
 */
export async function leaderAmong(urls: readonly string[]): Promise<number> {
  let at = -1;
  await eventually('all know the same leader', 30_000, async () => {
    const all = await Promise.all(urls.map((url) => leaderOf(url).catch(() => null)));
    const [leader, ...others] = new Set(all.map((each) => each?.leader));
    at = others.length > 0 ? -1 : all.findIndex((each) => each?.memberId === leader);
    return at >= 0;
  });
  return at;
}

/**
 * Lets each member apply what was done before, for those who look next at what it has itself. One
 * that does not answer is passed over.
 */
export async function caughtUp(urls: readonly string[]): Promise<void> {
  await Promise.allSettled(urls.map((url) => currentRevision(url)));
}

/**
 * A change of members, asked for until it is done: elections, and members that are away for a
 * moment, are in its way.
 */
export async function changeMembers(
  url: string,
  path: 'add' | 'remove' | 'promote',
  body: Json,
): Promise<void> {
  let failure = '';
  await eventually(`${path} of ${JSON.stringify(body)}`, 30_000, async () => {
    try {
      await call(url, `/v3/cluster/member/${path}`, body);
      return true;
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      failure = error.message;
      // An earlier attempt may have done it.
      return DONE[path].test(failure);
    }
  }).catch((error) => {
    throw new Error(`${error.message}: ${failure}`);
  });
}

const DONE = {
  add: /already exist/,
  // The second is said by the one that was removed.
  remove: /member not found|permanently removed from the cluster/,
  promote: /can only promote a learner member"/,
} as const;

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
