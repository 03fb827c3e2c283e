import { intBetween, seededPrng } from '../src/lib/prng.ts';
import type { LoadSpec } from './load.ts';

/** Requests prepared for a run and then repeated: drawing keys must not cost the generator time. */
const preparedByDefault = 2_000;

export const putPath = '/v3/kv/put';
const rangePath = '/v3/kv/range';

export interface PreparedRequests {
  readonly path: string;
  readonly bodies: readonly string[];
}

/** The same requests for every system, in an order that a seed decides. */
export function prepareRequests(
  spec: Pick<LoadSpec, 'kind' | 'keys' | 'valueBytes' | 'prepared'>,
  seed: number,
): PreparedRequests {
  const { kind, keys, valueBytes, prepared = preparedByDefault } = spec;
  const prng = seededPrng(seed);
  const value = encodedValue(valueBytes);
  const bodies = Array.from({ length: prepared }, () => {
    const key = encodedKey(intBetween(prng, 1, keys));
    if (kind === 'put') return JSON.stringify({ key, value });
    return JSON.stringify(kind === 'ser' ? { key, serializable: true } : { key });
  });
  return { path: kind === 'put' ? putPath : rangePath, bodies };
}

/** In base64, as the gateway wants it. */
export function encodedKey(n: number): string {
  return base64(`bench${String(n).padStart(8, '0')}`);
}

export function encodedValue(bytes: number): string {
  return base64('x'.repeat(bytes));
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
