import { Base64Error, decodeBase64, encodeBase64 } from '../api/base64.ts';
import { Code, EtcdError } from '../api/error.ts';
import { utf8 } from '../lib/bytes.ts';

/** Fields of a watch's creation, which are passed on under the names that they have there. */
const NUMBERS = ['start_revision', 'watch_id'] as const;
const FLAGS = ['progress_notify', 'prev_kv', 'fragment'] as const;

/**
 * The request of a watch that a page asks for with a query. Parameters are named as the fields of
 * create_request; beside them `key_utf8` and `range_end_utf8` are plain text instead of base64, and
 * `prefix=true` asks for all keys that begin with the key. Others are ignored, as in JSON.
 * @param lastEventId what the page's EventSource had seen when its connection was lost
 * @throws EtcdError
 */
export function watchRequestOf(query: string, lastEventId: string | null): string {
  const parameters = new URLSearchParams(query);
  const key = bytesOf(parameters, 'key');
  const isPrefix = flagOf(parameters, 'prefix');
  const rangeEnd = isPrefix ? prefixEnd(key) : bytesOf(parameters, 'range_end');
  const create: Record<string, unknown> = {
    key: encodeBase64(isPrefix && key.length === 0 ? ZERO_BYTE : key),
    range_end: encodeBase64(rangeEnd),
    filters: parameters.getAll('filters'),
  };
  for (const name of NUMBERS) {
    const number = parameters.get(name);
    if (number !== null) create[name] = number;
  }
  for (const name of FLAGS) create[name] = flagOf(parameters, name);
  if (lastEventId !== null && /^\d{1,18}$/.test(lastEventId)) {
    create['start_revision'] = String(BigInt(lastEventId) + 1n);
  }
  return JSON.stringify({ create_request: create });
}

const ZERO_BYTE: Readonly<Uint8Array> = Uint8Array.of(0);

/** The end of the range of all keys with that prefix; a zero byte means that it has none. */
function prefixEnd(prefix: Uint8Array): Uint8Array {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] ?? 0xff;
    if (byte === 0xff) continue;
    const end = prefix.slice(0, i + 1);
    end[i] = byte + 1;
    return end;
  }
  return ZERO_BYTE;
}

function bytesOf(parameters: URLSearchParams, name: string): Uint8Array {
  const text = parameters.get(`${name}_utf8`);
  if (text !== null) return utf8(text);
  try {
    // A plus sign that was not escaped has become a space on the way.
    return decodeBase64((parameters.get(name) ?? '').replaceAll(' ', '+'));
  } catch (error) {
    if (error instanceof Base64Error) throw invalid(`${name}: ${error.message}`);
    throw error;
  }
}

function flagOf(parameters: URLSearchParams, name: string): boolean {
  const value = parameters.get(name);
  if (value === null || value === 'false') return false;
  if (value === 'true' || value === '') return true;
  throw invalid(`${name}: "${value}" is neither true nor false`);
}

function invalid(message: string): EtcdError {
  return new EtcdError(Code.invalidArgument, message);
}
