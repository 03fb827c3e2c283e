import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytesOfMapKey,
  compareBytes,
  concatBytes,
  EMPTY_BYTES,
  equalBytes,
  mapKey,
  ownBytes,
  textOf,
  toHex,
  utf8,
} from './bytes.ts';

const bytes = fc.uint8Array({ maxLength: 40 });
/** Few values, so that prefixes and equal strings are common. */
const similar = fc.uint8Array({ maxLength: 4, max: 2 });

describe('the order of byte strings', () => {
  it('is unsigned, and a prefix comes first', () => {
    const sorted = [[], [0], [0, 0], [0, 255], [1], [127], [128], [255], [255, 0]];
    const shuffled = [...sorted].reverse().map((list) => Uint8Array.from(list));
    expect(shuffled.sort(compareBytes).map((each) => [...each])).toEqual(sorted);
  });

  it('is a total order that agrees with equality and with the order of map keys', () => {
    fc.assert(
      fc.property(similar, similar, (a, b) => {
        const order = Math.sign(compareBytes(a, b));
        expect(Math.sign(compareBytes(b, a))).toBe(order === 0 ? 0 : -order);
        expect(equalBytes(a, b)).toBe(order === 0);
        const [x, y] = [mapKey(a), mapKey(b)];
        expect(x < y ? -1 : x > y ? 1 : 0).toBe(order);
      }),
    );
  });
});

describe('conversions', () => {
  it('of bytes to map keys and back lose nothing, at any length', () => {
    fc.assert(
      fc.property(bytes, fc.constantFrom(0, 1_023, 1_024, 1_025, 5_000), (tail, length) => {
        const long = concatBytes([new Uint8Array(length).fill(200), tail]);
        expect(equalBytes(bytesOfMapKey(mapKey(long)), long)).toBe(true);
      }),
    );
  });

  it('of text to UTF-8 and back lose nothing, a byte order mark included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(textOf(utf8(text))).toBe(text);
        expect(textOf(utf8(`\ufeff${text}`))).toBe(`\ufeff${text}`);
      }),
    );
  });

  it('of what is no text give the replacement character', () => {
    expect(textOf(Uint8Array.of(0xff, 0x61))).toBe('\ufffda');
  });

  it('of bytes to hexadecimal keep leading zeros', () => {
    expect(toHex(Uint8Array.of(0, 1, 0xab, 0xff))).toBe('0001abff');
    expect(toHex(EMPTY_BYTES)).toBe('');
  });
});

it('joins parts in order', () => {
  fc.assert(
    fc.property(fc.array(bytes), (parts) => {
      expect([...concatBytes(parts)]).toEqual(parts.flatMap((part) => [...part]));
    }),
  );
});

describe('owned bytes', () => {
  it('are the same object when nothing else is in the buffer', () => {
    const whole = Uint8Array.of(1, 2);
    expect(ownBytes(whole)).toBe(whole);
  });

  it.each([
    ['a view', Uint8Array.of(9, 1, 2, 9).subarray(1, 3)],
    ['a Buffer, whose slices are views', Buffer.from([9, 1, 2, 9]).subarray(1, 3)],
  ])('are a copy of %s', (_, view) => {
    const owned = ownBytes(view);
    view.fill(7);
    expect([...owned]).toEqual([1, 2]);
    expect(owned.buffer.byteLength).toBe(2);
  });
});
