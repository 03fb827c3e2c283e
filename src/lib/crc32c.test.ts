import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, utf8 } from './bytes.ts';
import { crc32c } from './crc32c.ts';

describe('CRC-32C', () => {
  // RFC 3720 B.4 and the check value of the catalogue of CRCs.
  it.each([
    ['nothing', new Uint8Array(0), 0],
    ['the digits 1 to 9', utf8('123456789'), 0xe3069283],
    ['32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['32 rising bytes', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ['32 falling bytes', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ])('of %s is as published', (_, bytes, checksum) => {
    expect(crc32c(bytes)).toBe(checksum);
  });

  it('goes on from the checksum of what came before', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(crc32c(b, crc32c(a))).toBe(crc32c(concatBytes([a, b])));
      }),
    );
  });

  it('of a range is that of the bytes in it, whatever their number', () => {
    const bytes = Uint8Array.from({ length: 40 }, (_, i) => i * 37);
    for (let start = 0; start <= 9; start++) {
      for (let end = start; end <= bytes.length; end++) {
        let bytewise = 0;
        for (const byte of bytes.subarray(start, end)) {
          bytewise = crc32c(Uint8Array.of(byte), bytewise);
        }
        expect(crc32c(bytes, 0, start, end)).toBe(bytewise);
      }
    }
  });

  it('sees every flipped bit', () => {
    const bytes = utf8('a row of the log');
    const whole = crc32c(bytes);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(crc32c(damaged)).not.toBe(whole);
    }
  });
});
