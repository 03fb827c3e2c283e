import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvariantError } from './assert.ts';
import { BinaryReader, BinaryWriter } from './binary.ts';

const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

type Field =
  | { readonly kind: 'varint'; readonly value: number }
  | { readonly kind: 'int64'; readonly value: bigint }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'text'; readonly value: string };

const field: fc.Arbitrary<Field> = fc.oneof(
  fc.record({ kind: fc.constant('varint' as const), value: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('int64' as const), value: fc.bigInt(INT64) }),
  fc.record({ kind: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({ kind: fc.constant('text' as const), value: fc.string({ unit: 'grapheme' }) }),
);

function write(writer: BinaryWriter, { kind, value }: Field): void {
  if (kind === 'varint') writer.varint(value);
  else if (kind === 'int64') writer.int64(value);
  else if (kind === 'bytes') writer.bytes(value);
  else writer.text(value);
}

const encode = (fields: readonly Field[]): Uint8Array => {
  const writer = new BinaryWriter(1);
  for (const each of fields) write(writer, each);
  expect(writer.length).toBe(writer.finish().length);
  return writer.finish();
};

describe('a binary record', () => {
  it('reads back what was written, also from the middle of a buffer', () => {
    fc.assert(
      fc.property(fc.array(field), fc.nat(9), (fields, offset) => {
        const record = encode(fields);
        const shifted = new Uint8Array(offset + record.length + 3);
        shifted.set(record, offset);
        const reader = new BinaryReader(shifted.subarray(offset, offset + record.length));
        for (const { kind, value } of fields) expect(reader[kind]()).toEqual(value);
        expect(reader.done).toBe(true);
        expect(reader.offset).toBe(record.length);
      }),
    );
  });

  it.each([0, 1, 127, 128, 16_383, 16_384, 2 ** 32, Number.MAX_SAFE_INTEGER])(
    'holds the varint %d in seven bits a byte',
    (value) => {
      const record = new BinaryWriter().varint(value).finish();
      expect(record.length).toBe(Math.max(1, Math.ceil(value.toString(2).length / 7)));
      expect(new BinaryReader(record).varint()).toBe(value);
    },
  );

  it.each([-1, 1.5, Number.NaN, 2 ** 53])('does not hold the varint %d', (value) => {
    expect(() => new BinaryWriter().varint(value)).toThrow(InvariantError);
  });

  it('passes over byte strings', () => {
    const record = new BinaryWriter().text('skipped').varint(7).finish();
    const reader = new BinaryReader(record);
    reader.skip();
    expect(reader.varint()).toBe(7);
  });

  it('is not read past its end, wherever it is cut', () => {
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 4 }), fc.nat(), (fields, at) => {
        const record = encode(fields);
        const cut = new BinaryReader(record.subarray(0, at % record.length));
        expect(() => {
          for (const { kind } of fields) cut[kind]();
        }).toThrow(InvariantError);
      }),
    );
  });

  it('refuses a varint that no writer makes', () => {
    expect(() => new BinaryReader(new Uint8Array(9).fill(0xff)).varint()).toThrow('too long');
    // Eight bytes of seven bits hold more than 2^53: the number would be another one.
    const large = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f);
    expect(() => new BinaryReader(large).varint()).toThrow(InvariantError);
  });
});
