import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyMessage } from './arbitrary.test-util.ts';
import { PutRequestSchema } from './gen/rpc_pb.ts';
import { METHODS } from './methods.ts';
import { marshalledSize } from './size.ts';
import { varint64Size, varintSize, WireReader, writeVarint64 } from './wire.ts';

const schemas = new Map(METHODS.map(({ input }) => [input.typeName, input]));

describe.each([...schemas])('the size of %s', (_typeName, schema) => {
  test('is what the encoding takes', () => {
    fc.assert(
      fc.property(anyMessage(schema), (message) => {
        expect(marshalledSize(message)).toBe(toBinary(schema, message).length);
      }),
      { numRuns: 50 },
    );
  });
});

test('etcd counts 3,000,020 bytes for a value of 3,000,000 and a key of 13', () => {
  const put = { key: new Uint8Array(13), value: new Uint8Array(3_000_000) };
  expect(marshalledSize(create(PutRequestSchema, put))).toBe(3_000_020);
});

test('unknown fields count', () => {
  const put = create(PutRequestSchema, { key: Uint8Array.of(1) });
  put.$unknown = [{ no: 99, wireType: 0, data: Uint8Array.of(1) }];
  expect(marshalledSize(put)).toBe(toBinary(PutRequestSchema, put).length);
});

test('varints take what varintSize says and come back', () => {
  const corners = [0n, 127n, 128n, 2n ** 31n, 2n ** 35n - 1n, 2n ** 49n, 2n ** 53n, 2n ** 64n - 1n];
  const anyUnsigned = fc.oneof(fc.constantFrom(...corners), fc.bigInt(0n, 2n ** 64n - 1n));
  fc.assert(
    fc.property(anyUnsigned, fc.nat({ max: 63 }), (value, shift) => {
      const small = value >> BigInt(shift);
      const bytes = new Uint8Array(10);
      const end = writeVarint64(bytes, 0, small);
      expect(varint64Size(small)).toBe(end);
      if (small <= Number.MAX_SAFE_INTEGER) expect(varintSize(Number(small))).toBe(end);
      expect(new WireReader(bytes, 0, end).varint64()).toBe(small);
      expect(new WireReader(bytes, 0, end - 1).varint64()).toBeNull();
    }),
    { numRuns: 500 },
  );
});
