import { assert } from '../src/lib/assert.ts';
import type { LoadSpec } from './load.ts';
import { encodedKey, encodedValue } from './requests.ts';

/** Below etcd's --max-txn-ops of 128. */
const putsPerTxn = 100;
/** Below the default request limit, whatever the size of a value. */
const txnBytesMax = 1_000_000;

/** Puts every key once, so that a get finds what it asks for. */
export async function fill(
  url: string,
  { keys, valueBytes }: Pick<LoadSpec, 'keys' | 'valueBytes'>,
  signal: AbortSignal,
): Promise<void> {
  const value = encodedValue(valueBytes);
  const step = Math.max(1, Math.min(putsPerTxn, Math.floor(txnBytesMax / (valueBytes + 64))));
  for (let first = 1; first <= keys; first += step) {
    const count = Math.min(step, keys - first + 1);
    const success = Array.from({ length: count }, (_, i) => ({
      request_put: { key: encodedKey(first + i), value },
    }));
    const response = await fetch(`${url}/v3/kv/txn`, {
      method: 'POST',
      body: JSON.stringify({ success }),
      signal,
    });
    const text = await response.text();
    assert(response.ok, `${url} does not take the keys: ${response.status} ${text}`);
  }
}
