import { fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyMessage } from '../api/arbitrary.test-util.ts';
import { decodeAny, encodeAny } from '../api/json.ts';
import { METHODS } from '../api/methods.ts';
import { methodPath, SESSION_METHODS } from '../api/session-methods.ts';
import { MalformedFrame } from '../api/session-wire.ts';
import { decodeBinary, encodeBinary } from './binary.ts';
import { encodeJson, fromJson } from './json.ts';
import { requestSchema, responseSchema } from './schema.ts';

const methods = SESSION_METHODS.flatMap((_, number) => {
  const path = methodPath(number);
  const method = METHODS.find((each) => each.path === path);
  return path === null || method === undefined ? [] : [{ path, method }];
});

describe.each(methods)('the messages of $path', ({ path, method }) => {
  const messages = [
    { schema: method.input, own: requestSchema(path) },
    { schema: method.output, own: responseSchema(path) },
  ];

  it('are to the client what they are to protobuf', () => {
    for (const { schema, own } of messages) {
      fc.assert(
        fc.property(anyMessage(schema), (message) => {
          const bytes = toBinary(schema, message);
          const decoded = decodeBinary(own, bytes);
          const again = fromBinary(schema, encodeBinary(own, decoded));
          // Counts are numbers here: beyond 2^53 they are not exact, and are never so large.
          const isExact = !hasLargeNumbers(decoded);
          if (isExact) expect(again).toEqual(message);
        }),
        { numRuns: 40 },
      );
    }
  });

  it('are to the client what they are to the gateway', () => {
    for (const { schema, own } of messages) {
      fc.assert(
        fc.property(anyMessage(schema), (message) => {
          const decoded = fromJson(own, JSON.parse(encodeAny(schema, message as never)));
          if (hasLargeNumbers(decoded)) return;
          expect(decoded).toEqual(decodeBinary(own, toBinary(schema, message)));
          expect(decodeAny(schema, encodeJson(own, decoded))).toEqual(
            decodeAny(schema, encodeAny(schema, message as never)),
          );
        }),
        { numRuns: 40 },
      );
    }
  });
});

function hasLargeNumbers(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isSafeInteger(value);
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return false;
  return Object.values(value).some(hasLargeNumbers);
}

it('bytes that are no message are malformed', () => {
  const own = responseSchema('/v3/kv/range');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        decodeBinary(own, bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedFrame);
      }
    }),
    { numRuns: 2_000 },
  );
});
