import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Sha256 } from './sha256.ts';

const reference = (pieces: readonly Uint8Array[]) => {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
};
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('SHA-256 in pieces', () => {
  it('is that of Node, however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 12 }), (pieces) => {
        const own = new Sha256();
        for (const piece of pieces) own.update(piece);
        expect(hex(own.digest())).toBe(reference(pieces));
      }),
    );
  });

  it('holds at every length around a block', () => {
    for (let length = 0; length <= 130; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 7) & 0xff);
      expect(hex(new Sha256().update(bytes).digest()), `${length}`).toBe(reference([bytes]));
    }
  });

  it('takes views, and more than one chunk of a snapshot', () => {
    const bytes = Uint8Array.from({ length: 3_000_001 }, (_, i) => (i * 31) & 0xff);
    const own = new Sha256().update(bytes.subarray(1, 1_000_000)).update(bytes.subarray(1_000_000));
    expect(hex(own.digest())).toBe(reference([bytes.subarray(1)]));
  });
});
