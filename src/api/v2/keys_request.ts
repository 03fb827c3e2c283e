import type { V2ErrorCode } from './error.ts';
import { FormError, parseForm } from './form.ts';

export type KeysMethod = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';

/** A request about keys, as its parameters say it. */
export interface KeysRequest {
  readonly method: KeysMethod;
  /** Below /v2/keys: `/` or `/a/b`, without a slash at the end. */
  readonly path: string;
  readonly value: string;
  readonly dir: boolean;
  /** Empty and 0: not compared. */
  readonly prevValue: string;
  readonly prevIndex: number;
  readonly prevExist: boolean | null;
  readonly ttlSeconds: number | null;
  readonly refresh: boolean;
  readonly recursive: boolean;
  readonly sorted: boolean;
  readonly quorum: boolean;
  readonly wait: boolean;
  readonly waitIndex: number;
  readonly stream: boolean;
  readonly noValueOnSuccess: boolean;
}

/** A request that is refused as it stands: etcd's number of the error, and what is wrong. */
export interface KeysRefusal {
  readonly errorCode: V2ErrorCode;
  readonly cause: string;
}

class Refused extends Error {
  readonly refusal: KeysRefusal;

  constructor(errorCode: V2ErrorCode, cause: string) {
    super(cause);
    this.refusal = { errorCode, cause };
  }
}

/** What strconv.ParseBool knows. */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
]);

/**
 * Reads the parameters in etcd's order, which decides what is complained about first.
 * @param body the form; empty when there is none, or of another content type
 */
export function parseKeysRequest(
  method: KeysMethod,
  path: string,
  query: string,
  body: string,
): KeysRequest | KeysRefusal {
  try {
    return parse(method, path, parseForm(body, query));
  } catch (error) {
    if (error instanceof FormError) return { errorCode: 210, cause: error.message };
    if (error instanceof Refused) return error.refusal;
    throw error;
  }
}

export function isRefusal(request: KeysRequest | KeysRefusal): request is KeysRefusal {
  return 'errorCode' in request;
}

function parse(method: KeysMethod, path: string, form: ReadonlyMap<string, string>): KeysRequest {
  const prevIndex = indexOf(form, 'prevIndex');
  const waitIndex = indexOf(form, 'waitIndex');
  const recursive = flagOf(form, 'recursive');
  const sorted = flagOf(form, 'sorted');
  const wait = flagOf(form, 'wait');
  const dir = flagOf(form, 'dir');
  const quorum = flagOf(form, 'quorum');
  const stream = flagOf(form, 'stream');
  if (wait && method !== 'GET') {
    throw new Refused(209, '"wait" can only be used with GET requests');
  }
  const prevValue = form.get('prevValue') ?? '';
  if (form.has('prevValue') && prevValue === '') {
    throw new Refused(201, '"prevValue" cannot be empty');
  }
  const noValueOnSuccess = flagOf(form, 'noValueOnSuccess');
  const ttlSeconds = ttlOf(form);
  const prevExist = form.has('prevExist')
    ? flagOf(form, 'prevExist', 'invalid value for prevExist')
    : null;
  const refresh = flagOf(form, 'refresh', 'invalid value for refresh');
  const value = form.get('value') ?? '';
  if (refresh && value !== '') throw new Refused(211, 'A value was provided on a refresh');
  if (refresh && ttlSeconds === null) throw new Refused(212, 'No TTL value set');
  const compared = { prevValue, prevIndex, prevExist };
  const listed = { recursive, sorted, quorum };
  const waited = { wait, waitIndex, stream };
  const changed = { value, dir, ttlSeconds, refresh, noValueOnSuccess };
  return { method, path: cleanKey(path), ...changed, ...compared, ...listed, ...waited };
}

/** Go's path.Join under the root: no empty segments, no slash at the end. */
function cleanKey(path: string): string {
  return `/${path.split('/').filter(Boolean).join('/')}`;
}

function flagOf(form: ReadonlyMap<string, string>, name: string, cause?: string): boolean {
  const text = form.get(name);
  if (text === undefined) return false;
  const flag = BOOLEANS.get(text);
  if (flag === undefined) throw new Refused(209, cause ?? `invalid value for "${name}"`);
  return flag;
}

function indexOf(form: ReadonlyMap<string, string>, name: string): number {
  const text = form.get(name);
  if (text === undefined) return 0;
  const index = unsigned(text);
  if (index === null) throw new Refused(203, `invalid value for "${name}"`);
  return index;
}

/** Null: none is given, or an empty one, which takes away what there was. */
function ttlOf(form: ReadonlyMap<string, string>): number | null {
  const text = form.get('ttl') ?? '';
  if (text === '') return null;
  const seconds = unsigned(text);
  if (seconds === null) throw new Refused(202, 'invalid value for "ttl"');
  return seconds;
}

/** A number of 64 bits, or the largest that is exact: no index and no TTL gets so far. */
function unsigned(text: string): number | null {
  if (!/^\d+$/.test(text) || BigInt(text) >= 1n << 64n) return null;
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
}
