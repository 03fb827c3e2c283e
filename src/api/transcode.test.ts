import { create, type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyMessage } from './arbitrary.test-util.ts';
import { EtcdError } from './error.ts';
import { PutRequestSchema } from './gen/rpc_pb.ts';
import { METHODS } from './methods.ts';
import { binaryOfJson, jsonOfBinary } from './transcode.ts';

const schemas = new Map<string, DescMessage>(
  METHODS.flatMap(({ input, output }) => [input, output]).map((schema) => [
    schema.typeName,
    schema,
  ]),
);

describe('from protobuf to JSON and back', () => {
  it.each([...schemas])('%s stays what it is', (_, schema) => {
    const property = fc.property(anyMessage(schema), (message) => {
      const bytes = toBinary(schema, message);
      const again = binaryOfJson(schema, jsonOfBinary(schema, bytes));
      expect(fromBinary(schema, again)).toEqual(fromBinary(schema, bytes));
    });
    fc.assert(property, { numRuns: 50 });
  });

  it('what is no message is refused', () => {
    expect(() => jsonOfBinary(PutRequestSchema, Uint8Array.of(0xff))).toThrow(EtcdError);
    expect(
      jsonOfBinary(PutRequestSchema, toBinary(PutRequestSchema, create(PutRequestSchema))),
    ).toBe('{}');
  });
});
