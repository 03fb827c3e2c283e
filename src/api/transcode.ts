import { type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Code, EtcdError } from './error.ts';
import { decodeJson, encodeJson } from './json.ts';

/** A request of protobuf's encoding as the gateway's JSON. @throws EtcdError when it is none */
export function jsonOfBinary(schema: DescMessage, bytes: Uint8Array): string {
  try {
    return encodeJson(schema, fromBinary(schema, bytes));
  } catch {
    throw new EtcdError(Code.internal, 'grpc: error unmarshalling request');
  }
}

/** An answer of the gateway's JSON in protobuf's encoding. */
export function binaryOfJson(schema: DescMessage, text: string): Uint8Array {
  return toBinary(schema, decodeJson(schema, text));
}
