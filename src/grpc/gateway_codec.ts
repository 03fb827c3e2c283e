import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { Code, EtcdError } from '../api/error.ts';
import { decodeJson, encodeJson } from '../api/json.ts';
import type { Method } from '../api/methods.ts';

/** A request of gRPC as the gateway takes it. @throws EtcdError when it is not such a message */
export function requestJson({ input }: Method, bytes: Uint8Array): string {
  try {
    return encodeJson(input, fromBinary(input, bytes));
  } catch {
    throw new EtcdError(Code.internal, 'grpc: error unmarshalling request');
  }
}

/** An answer of the gateway as gRPC sends it. */
export function responseBytes({ output }: Method, json: string): Uint8Array {
  return toBinary(output, decodeJson(output, json));
}

/** The gateway writes every message of a stream behind this, and a brace after it. */
const RESULT = '{"result":';

/** A message of a stream, or the error that ends it. */
export function streamFrame(method: Method, text: string): Uint8Array | EtcdError {
  if (!text.startsWith(RESULT)) return errorOf(text, null);
  return responseBytes(method, text.slice(RESULT.length, text.lastIndexOf('}')));
}

/** What the gateway says about a failure, of a unary method or of a stream. */
export function errorOf(text: string, status: number | null): EtcdError {
  const body = parse(text);
  const inner = typeof body['error'] === 'object' && body['error'] !== null ? body['error'] : body;
  const { code, grpc_code: grpcCode, message } = inner as Record<string, unknown>;
  const known = Object.values(Code).find((each) => each === (grpcCode ?? code));
  if (known !== undefined && known !== Code.ok && typeof message === 'string') {
    return new EtcdError(known, message);
  }
  const said = text.trim().slice(0, 200);
  const what = status === null ? said : `status ${status}: ${said}`;
  return new EtcdError(
    Code.unavailable,
    `edgetcd: the endpoint does not speak etcd's API: ${what}`,
  );
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
