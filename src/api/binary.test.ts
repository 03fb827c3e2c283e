import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyMessage } from './arbitrary.test-util.ts';
import { decodeBinary, decodeBinaryPut, decodeBinaryRange, encodeBinary } from './binary.ts';
import { EtcdError } from './error.ts';
import {
  PutRequestSchema,
  PutResponseSchema,
  RangeRequestSchema,
  RangeResponseSchema,
  WatchResponseSchema,
} from './gen/rpc_pb.ts';

describe('requests in protobuf', () => {
  it('are decoded as by the generic codec', () => {
    fc.assert(
      fc.property(anyMessage(PutRequestSchema), anyMessage(RangeRequestSchema), (put, range) => {
        expect(create(PutRequestSchema, decodeBinaryPut(toBinary(PutRequestSchema, put)))).toEqual(
          put,
        );
        const bytes = toBinary(RangeRequestSchema, range);
        expect(create(RangeRequestSchema, decodeBinaryRange(bytes))).toEqual(range);
      }),
    );
  });

  it('that are none are refused', () => {
    const bytes = Uint8Array.of(10, 200, 1);
    for (const decode of [
      () => decodeBinaryPut(bytes),
      () => decodeBinaryRange(bytes),
      () => decodeBinary(PutRequestSchema, bytes),
    ]) {
      expect(decode).toThrow(EtcdError);
      expect(decode).toThrow(/^grpc: error unmarshalling request: /);
    }
  });
});

describe('answers in protobuf', () => {
  it.each([PutResponseSchema, RangeResponseSchema, WatchResponseSchema])(
    '$typeName is encoded as by the generic codec',
    (schema) => {
      fc.assert(
        fc.property(anyMessage(schema), (message) => {
          const generic = toBinary(schema, message as never);
          expect(encodeBinary(schema, message as never)).toEqual(generic);
          // What is kept with events does not change them.
          expect(encodeBinary(schema, message as never)).toEqual(generic);
        }),
      );
    },
  );
});
